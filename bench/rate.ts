import { setTimeout as pause } from 'node:timers/promises'
import { type BenchFleet, STEPS_AT_ONCE } from './kit/fleet.ts'
import { COURSES, runJob, stepsOf, TWO_STEPS } from './kit/jobs.ts'
import { cpuMsOf } from './kit/processes.ts'
import { type RawQueues, startRawQueues } from './kit/raw-queues.ts'
import { redisCpuUs } from './kit/redis-cpu.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median, rateOf } from './kit/statistics.ts'

const JOBS_AT_ONCE = 200
const SHARE_OF_RAW = 0.5
const REDIS_US_PER_JOB = 450
const ROUNDS = 3
const STEPS_PER_JOB = COURSES.reduce((sum, course) => sum + stepsOf(course), 0) / COURSES.length

/** Many jobs at a time, and what BullMQ alone does on the same Redis with as many workers, turn and turn about. */
export const rate: Scenario = {
  name: 'rate',
  title: `Rate: ${JOBS_AT_ONCE} jobs at once of a skill without a project, workers answer by themselves`,
  async run(context) {
    const fleet = await context.fleet('bare')
    const { redisUrl } = fleet
    const raw = await startRawQueues(context, { redisUrl, concurrency: STEPS_AT_ONCE })
    await measureRound(context, fleet, raw)
    const rounds: Round[] = []
    for (let i = 0; i < ROUNDS; i++) rounds.push(await measureRound(context, fleet, raw))
    return rowsOf(rounds)
  },
}

interface Round {
  rawPerSecond: number
  stepsPerSecond: number
  /** Processor time of each process for a job that one model does and one judges, in microseconds. */
  cpuUs: Readonly<Record<string, number>>
}

async function measureRound(
  { quick }: BenchContext,
  fleet: BenchFleet,
  raw: RawQueues,
): Promise<Round> {
  const load = { lanes: JOBS_AT_ONCE, forMs: quick ? 700 : 2000 }
  await untilLogged(fleet)
  const { perSecond: rawPerSecond } = await rateOf(load, (lane) => raw.runJob(lane))
  let jobs = 0
  const mixed = await rateOf(load, () => runJob(fleet, COURSES[jobs++ % COURSES.length]!))
  await untilLogged(fleet)
  const before = await cpuUsIn(fleet)
  const { count } = await rateOf(load, () => runJob(fleet, TWO_STEPS))
  const after = await cpuUsIn(fleet)
  const cpuUs = Object.entries(after).map(([name, us]) => [name, (us - before[name]!) / count])
  return {
    rawPerSecond,
    stepsPerSecond: mixed.perSecond * STEPS_PER_JOB,
    cpuUs: Object.fromEntries(cpuUs),
  }
}

/** What the fleet still has to write of finished jobs would slow down what is measured next. */
async function untilLogged({ redis, keys }: BenchFleet): Promise<void> {
  while ((await redis.xlen(keys.entries)) > 0) await pause(20)
}

/** Of Redis as it tells itself, all its threads; of the others 0 where the system does not tell. */
async function cpuUsIn({ processes, redis }: BenchFleet): Promise<Record<string, number>> {
  const others = processes.map(({ name, pid }) => [name, (cpuMsOf(pid) ?? 0) * 1000])
  return { ...Object.fromEntries(others), redis: await redisCpuUs(redis) }
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const middle = (pick: (round: Round) => number) => median(rounds.map(pick))
  const cpuRow = (name: string): Row => ({
    what: `processor time per job of two steps: ${name}`,
    value: middle(({ cpuUs }) => cpuUs[name]!),
    unit: 'us',
    ...(name === 'redis' ? { limit: { atMost: REDIS_US_PER_JOB } } : {}),
  })
  return [
    {
      what: 'steps, in jobs of one, two and seven',
      value: middle((r) => r.stepsPerSecond),
      unit: '/s',
    },
    {
      what: 'BullMQ alone: jobs of 1 kB that do nothing',
      value: middle((r) => r.rawPerSecond),
      unit: '/s',
    },
    {
      what: 'share of BullMQ alone',
      value: middle((r) => r.stepsPerSecond / r.rawPerSecond),
      unit: '',
      limit: { atLeast: SHARE_OF_RAW },
      note: `median of ${rounds.length} rounds, turn and turn about`,
    },
    ...Object.keys(rounds[0]!.cpuUs).map(cpuRow),
  ]
}

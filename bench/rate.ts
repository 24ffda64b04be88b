import { setTimeout as pause } from 'node:timers/promises'
import { type BenchFleet, STEPS_AT_ONCE } from './kit/fleet.ts'
import { runJob, stepsOf, TWO_STEPS } from './kit/jobs.ts'
import { cpuMsOf } from './kit/processes.ts'
import { type RawQueues, startRawQueues } from './kit/raw-queues.ts'
import { redisCpuUs } from './kit/redis-cpu.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median, rateOf } from './kit/statistics.ts'

const JOBS_AT_ONCE = 200
const SHARE_OF_RAW = 0.5
const REDIS_US_PER_JOB = 450
const ROUNDS = 3
const STEPS = stepsOf(TWO_STEPS)

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
  stepsPerSecond: number
  rawPerSecond: number
  redisUsPerJob: number
  /** Of each process of the fleet; 0 where the system does not tell. */
  cpuUsPerJob: Readonly<Record<string, number>>
}

async function measureRound(
  { quick }: BenchContext,
  fleet: BenchFleet,
  raw: RawQueues,
): Promise<Round> {
  const load = { lanes: JOBS_AT_ONCE, forMs: quick ? 700 : 2500 }
  await untilLogged(fleet)
  const { perSecond: rawPerSecond } = await rateOf(load, (lane) => raw.runJob(lane))
  const redisBeforeUs = await redisCpuUs(fleet.redis)
  const before = cpuMsIn(fleet)
  const jobs = await rateOf(load, () => runJob(fleet, TWO_STEPS))
  const usedMs = Object.entries(cpuMsIn(fleet)).map(([name, ms]) => [name, ms - before[name]!])
  const redisUs = (await redisCpuUs(fleet.redis)) - redisBeforeUs
  return {
    stepsPerSecond: jobs.perSecond * STEPS,
    rawPerSecond,
    redisUsPerJob: redisUs / jobs.count,
    cpuUsPerJob: Object.fromEntries(
      usedMs.map(([name, ms]) => [name, (Number(ms) * 1000) / jobs.count]),
    ),
  }
}

/** What the fleet still has to write of finished jobs would slow down what is measured next. */
async function untilLogged({ redis, keys }: BenchFleet): Promise<void> {
  while ((await redis.xlen(keys.entries)) > 0) await pause(20)
}

function cpuMsIn({ processes }: BenchFleet): Record<string, number> {
  return Object.fromEntries(processes.map(({ name, pid }) => [name, cpuMsOf(pid) ?? 0]))
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const middle = (pick: (round: Round) => number) => median(rounds.map(pick))
  const parts = Object.keys(rounds[0]!.cpuUsPerJob)
  return [
    { what: 'steps, two to a job', value: middle((r) => r.stepsPerSecond), unit: '/s' },
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
    {
      what: 'processor time of Redis per job',
      value: middle((r) => r.redisUsPerJob),
      unit: 'us',
      limit: { atMost: REDIS_US_PER_JOB },
    },
    ...parts
      .filter((name) => name !== 'redis')
      .map((name) => ({
        what: `processor time of the ${name} per job`,
        value: middle((r) => r.cpuUsPerJob[name]!),
        unit: 'us',
      })),
  ]
}

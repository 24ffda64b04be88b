import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { advance } from '@hyperguild/core/advance.ts'
import type { Principal } from '@hyperguild/core/principal.ts'
import { submit } from '@hyperguild/gateway/operations.ts'
import { requireSkill, submitJob } from '@hyperguild/gateway/submit-job.ts'
import { startEmbeddedRedis } from '@hyperguild/io/queue/embedded-redis.ts'
import type { Redis } from 'ioredis'
import { type GatewaySide, startGatewaySide } from './kit/gateway-side.ts'
import { ONE_STEP, runJob } from './kit/jobs.ts'
import { CLOUD_MODEL } from './kit/models.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median, percentile } from './kit/statistics.ts'

const FEW = 100
const GROWTH_LIMIT = 1.2
const LANES = 64
/** A principal may not have more jobs open. */
const JOBS_PER_PRINCIPAL = 100
const SUBMITS_PER_ROUND = 25
const TEXT = 'x'.repeat(1000)

/** What it costs to accept a job when few and when very many others wait, and what each holds in Redis. */
export const backlog: Scenario = {
  name: 'backlog',
  title: 'Accepting a job of 1 kB while others wait in its queue, and what jobs hold in Redis',
  async run(context) {
    const finished = await measureFinished(context)
    const many = context.quick ? 10_000 : 100_000
    const [calm, loaded] = await startSides(context)
    await fill(calm, FEW)
    const bytesEach = await fillAndWeigh(loaded, many)
    const rounds = await takeTurns(calm, loaded, context.quick ? 20 : 60)
    return [
      ...latencyRows(rounds, many),
      { what: 'Redis memory per waiting job', value: bytesEach, unit: 'B', note: '1 kB of input' },
      finished,
    ]
  },
}

/** Two gateways on one Redis, each with jobs of its own that no worker takes. */
async function startSides({ folder, keep }: BenchContext): Promise<[GatewaySide, GatewaySide]> {
  const redis = keep(await startEmbeddedRedis({ dataDir: join(folder, 'backlog-redis') }))
  const start = async (name: string) => {
    const own = join(folder, `backlog-${name}`)
    await mkdir(join(own, 'brain'), { recursive: true })
    return startGatewaySide(
      {
        REDIS_URL: redis.url,
        HYPERGUILD_REDIS_PREFIX: name,
        HYPERGUILD_DATA_DIR: join(own, 'data'),
        HYPERGUILD_CALLS_PER_MINUTE: '1000000',
        HYPERGUILD_QUEUE_LIMIT: '1000000',
        HYPERGUILD_UNSERVED_MS: '86400000',
        SUPERVISOR_PORT: '0',
        // What the fleet of the finished jobs has written there.
        SUPERVISOR_CONFIG_DIR: join(folder, 'bare', 'config'),
        SUPERVISOR_MODELS_FILE: join(folder, 'bare', 'models.yaml'),
        SUPERVISOR_BRAIN_DIR: join(own, 'brain'),
      },
      keep,
    )
  }
  return [await start('few'), await start('many')]
}

let submitted = 0

async function submitOne({ deps }: GatewaySide): Promise<void> {
  submitted += 1
  const name = `caller-${Math.floor(submitted / JOBS_PER_PRINCIPAL)}`
  const principal: Principal = { name, scopes: ['call'] }
  const input = { text: `${submitted} ${TEXT}`, model: CLOUD_MODEL }
  const { listening } = await submit(deps, principal, { skill: 'echo', input })
  listening.stop()
}

/** As `submitOne` does it, but many at once, past what says who may: only the backlog is wanted here. */
async function fill({ deps }: GatewaySide, count: number): Promise<void> {
  const call = { skill: 'echo', input: { text: TEXT, model: CLOUD_MODEL }, principal: 'backlog' }
  const { job, listening } = await submitJob(deps, requireSkill(deps, call), call, () => {})
  listening.stop()
  let left = count - 1
  const lane = async () => {
    while (left-- > 0) {
      const id = randomUUID()
      const one = { ...job, id, sessionId: id, callKey: id, principal: `backlog-${left % 1000}` }
      await deps.store.submit(one, deps.inbox.gatewayId, deps.now() + deps.unservedMs)
      await deps.queue.add(advance(one, [], null, deps.now()).next!)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

async function fillAndWeigh(side: GatewaySide, count: number): Promise<number> {
  const before = await usedMemory(side.redis)
  await fill(side, count)
  return ((await usedMemory(side.redis)) - before) / count
}

interface Round {
  fewMs: number[]
  manyMs: number[]
}

/** One at a time, turn and turn about, so that both meet the same other work of the machine. */
async function takeTurns(calm: GatewaySide, loaded: GatewaySide, count: number): Promise<Round[]> {
  const rounds: Round[] = []
  for (let round = 0; round < count; round += 1) {
    rounds.push({ fewMs: await timeSubmits(calm), manyMs: await timeSubmits(loaded) })
  }
  // What is compiled and connected first is thrown away.
  return rounds.slice(Math.ceil(count / 10))
}

async function timeSubmits(side: GatewaySide): Promise<number[]> {
  const samples: number[] = []
  for (let count = 0; count < SUBMITS_PER_ROUND; count += 1) {
    const startedMs = performance.now()
    await submitOne(side)
    samples.push(performance.now() - startedMs)
  }
  return samples
}

function latencyRows(rounds: readonly Round[], many: number): Row[] {
  const few = rounds.flatMap(({ fewMs }) => fewMs)
  const loaded = rounds.flatMap(({ manyMs }) => manyMs)
  const growth = rounds.map(({ fewMs, manyMs }) => median(manyMs) / median(fewMs))
  return [
    { what: `${FEW} waiting, p50`, value: median(few), unit: 'ms', note: `${few.length} jobs` },
    { what: `${FEW} waiting, p99`, value: percentile(few, 0.99), unit: 'ms' },
    { what: `${many} waiting, p50`, value: median(loaded), unit: 'ms' },
    { what: `${many} waiting, p99`, value: percentile(loaded, 0.99), unit: 'ms' },
    {
      what: 'growth of p50',
      value: median(growth),
      unit: '',
      limit: { atMost: GROWTH_LIMIT },
      note: `median of ${growth.length} rounds, turn and turn about`,
    },
  ]
}

/** What a job of one step leaves in Redis until its retention ends. */
async function measureFinished(context: BenchContext): Promise<Row> {
  const fleet = await context.fleet('bare')
  const count = context.quick ? 300 : 2000
  const run = async (jobs: number) => {
    let left = jobs
    const lane = async () => {
      while (left-- > 0) await runJob(fleet, ONE_STEP)
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    while ((await fleet.redis.xlen(fleet.keys.entries)) > 0) await pause(20)
  }
  await run(100)
  const before = await usedMemory(fleet.redis)
  await run(count)
  const bytes = ((await usedMemory(fleet.redis)) - before) / count
  return { what: 'Redis memory per finished job', value: bytes, unit: 'B', note: 'one step' }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

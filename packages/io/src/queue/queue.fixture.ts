import { queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import { aJob } from '@hyperguild/core/job.fixture.ts'
import type { Job, JobEvent } from '@hyperguild/core/job.ts'
import type { Redis } from 'ioredis'
import { createBreakers } from './breakers.ts'
import { createJobQueue } from './job-queue.ts'
import { createJobStore } from './job-store.ts'
import { type Keys, keysFor } from './keys.ts'
import { type LeaseKeeper, startLeaseKeeper } from './lease-keeper.ts'
import { connectRedis } from './redis.ts'

export const RETENTION_MS = 3_600_000
export const KEPT_JOBS = 100

/** What a test gives: its Redis, and a way to have something done when it ends. */
export interface TestContext {
  redisUrl: string
  atEnd(undo: () => Promise<void> | void): void
}

/** The record and the queues of one test alone, on a real Redis. The clock starts at 0 and stands still. */
export function openTestQueue({ redisUrl, atEnd }: TestContext) {
  const connect = (): Redis => {
    const redis = connectRedis(redisUrl, 'queue-test', 'wait')
    atEnd(() => redis.disconnect())
    return redis
  }
  const redis = connect()
  const keys = keysFor(`test-${crypto.randomUUID()}`)
  const clock = { ms: 0 }
  const now = () => clock.ms
  const queue = createJobQueue(redis, keys)
  atEnd(() => queue.close())
  const store = createJobStore(redis, keys, { retentionMs: RETENTION_MS, keptJobs: KEPT_JOBS })
  const breakers = createBreakers(redis, keys, now)
  return {
    redis,
    connect,
    keys,
    clock,
    queue,
    store,
    records: { store, queue, breakers, now, unservedMs: 30_000 },

    /** What keeps the leases of a consumer. */
    keepLeases(leaseMs?: number): LeaseKeeper {
      const timing = leaseMs === undefined ? {} : { leaseMs }
      const leases = startLeaseKeeper({ redisUrl, keys, onError: () => {}, ...timing })
      atEnd(() => leases.close())
      return leases
    },

    /** Accepts a job, without queueing its first step. */
    async submit(changes: Partial<Job> = {}): Promise<Job> {
      const job = aJob({ id: crypto.randomUUID(), ...changes })
      await store.submit(job, 'gateway-1', 0)
      return job
    },

    /** Lets a worker hold a step, as BullMQ does for one that it has given out. */
    lease: (step: StepRef, token: string) =>
      redis.set(keys.lock(queueOfStep(step), stepIdOf(step)), token),

    /** The ids of the steps that wait in a model's queue. */
    async queued(model: string): Promise<string[]> {
      const waiting = await queue.queueFor(model).getWaiting()
      return waiting.map((job) => job.id!)
    },

    snapshot: () => snapshotOf(redis, keys),
  }
}

export type TestQueue = ReturnType<typeof openTestQueue>

/** Everything under a prefix, to see that nothing has changed. */
async function snapshotOf(redis: Redis, keys: Keys): Promise<Record<string, string>> {
  const names = await redis.keys(`${keys.prefix}:*`)
  const contents = await Promise.all(names.map((name) => redis.dumpBuffer(name)))
  return Object.fromEntries(names.map((name, i) => [name, contents[i]!.toString('base64')]))
}

/** The step that a job has to do after so many others. */
export function stepOf(job: Job, changes: Partial<StepRef> = {}): StepRef {
  const [model] = job.chain
  return { jobId: job.id, step: 0, kind: 'generate', model: model!, attempt: 1, of: 3, ...changes }
}

export const WORKS: JobEvent = {
  kind: 'generating',
  model: 'ollama/small',
  attempt: 1,
  of: 3,
  tier: 'local',
  warmStart: true,
}

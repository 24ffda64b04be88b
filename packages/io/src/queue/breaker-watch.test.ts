import { advance } from '@hyperguild/core/advance.ts'
import type { SickCall } from '@hyperguild/core/health.ts'
import { aJob } from '@hyperguild/core/job.fixture.ts'
import { Redis } from 'ioredis'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { type BreakerWatchOptions, watchBreakers } from './breaker-watch.ts'
import { createBreakers } from './breakers.ts'
import { createJobQueue } from './job-queue.ts'
import { createJobStore } from './job-store.ts'
import { keysFor } from './keys.ts'
import { queueStep } from './record-step.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'
const network: SickCall = { failure: 'network', message: 'gpu-box:8080 cannot be reached' }
const stalled: SickCall = { failure: 'timeout_stall', message: 'fell silent' }

/** Workers that serve two models of one server, on one Redis. */
function startFleet() {
  const redis = new Redis(inject('redisUrl'), { maxRetriesPerRequest: null })
  const keys = keysFor(`test-${crypto.randomUUID()}`)
  const queue = createJobQueue(redis, keys)
  onTestFinished(async () => {
    await queue.close()
    redis.disconnect()
  })
  const server = { isUp: false }
  const records = {
    store: createJobStore(redis, keys, { retentionMs: 60_000, keptJobs: 100 }),
    queue,
    breakers: createBreakers(redis, keys, Date.now),
    now: Date.now,
    unservedMs: 60_000,
  }
  const startWorker = async (changes: Partial<BreakerWatchOptions> = {}) => {
    const watch = await watchBreakers({
      ...records,
      models: [SMALL, LARGE],
      workerId: 'worker-1',
      serverOf: () => 'http://gpu-box:8080',
      isReachable: async () => server.isUp,
      limits: { failures: 3, openMs: 60_000 },
      onError(error) {
        throw error
      },
      ...changes,
    })
    onTestFinished(() => watch.close())
    return watch
  }
  const isPaused = (model: string) => queue.queueFor(model).isPaused()
  return { ...records, server, startWorker, isPaused }
}

test('so many sick calls in a row open the breaker, for all models of a server that is not reached', async () => {
  const fleet = startFleet()
  const watch = await fleet.startWorker()
  await watch.report(SMALL, network)
  await watch.report(SMALL, network)
  await watch.report(SMALL, null)
  await watch.report(SMALL, network)
  await watch.report(LARGE, network)
  expect(await fleet.breakers.openFor(SMALL)).toBeNull()
  await watch.report(SMALL, network)
  expect(await fleet.breakers.openFor(SMALL)).toMatchObject({ reason: 'network', trips: 1 })
  expect(await fleet.breakers.openFor(LARGE)).toMatchObject({ reason: 'network', trips: 1 })
  expect(await fleet.isPaused(LARGE)).toBe(true)
})

test('a model that fails behind a server that answers is alone in it', async () => {
  const fleet = startFleet()
  const watch = await fleet.startWorker()
  for (let i = 0; i < 3; i += 1) await watch.report(SMALL, stalled)
  expect(await fleet.breakers.openFor(SMALL)).toMatchObject({ reason: 'timeout_stall' })
  expect(await fleet.breakers.openFor(LARGE)).toBeNull()
})

test('calls that were under way when it opened do not make it stay open for longer', async () => {
  const fleet = startFleet()
  const watch = await fleet.startWorker()
  for (let i = 0; i < 9; i += 1) await watch.report(SMALL, network)
  expect(await fleet.breakers.openFor(SMALL)).toMatchObject({ trips: 1 })
})

test('neither bad answers nor a busy server open it', async () => {
  const fleet = startFleet()
  const watch = await fleet.startWorker()
  for (const failure of ['bad_output', 'refusal', 'rate_limited', 'overloaded'] as const) {
    for (let i = 0; i < 3; i += 1) await watch.report(SMALL, { failure, message: '' })
  }
  expect(await fleet.breakers.openFor(SMALL)).toBeNull()
})

test('on trial one sick call opens it again, for twice as long, and one that is well ends it', async () => {
  const fleet = startFleet()
  const first = await fleet.startWorker()
  for (let i = 0; i < 3; i += 1) await first.report(SMALL, network)
  fleet.server.isUp = true
  const second = await fleet.startWorker()
  const onTrial = () =>
    vi.waitFor(async () => {
      expect(await fleet.breakers.get(SMALL)).toMatchObject({ state: 'half_open' })
      expect(await fleet.isPaused(SMALL)).toBe(false)
    }, 5000)
  await onTrial()

  await second.report(SMALL, network)
  const again = await fleet.breakers.openFor(SMALL)
  expect(again).toMatchObject({ state: 'open', trips: 2 })
  expect(again!.untilMs! - again!.openedAtMs).toBe(120_000)

  const third = await fleet.startWorker()
  await onTrial()
  await third.report(SMALL, null)
  await vi.waitFor(async () => expect(await fleet.breakers.get(SMALL)).toBeNull(), 5000)
})

test('a job that waits in the queue of a model that is down moves up, the reason in its record', async () => {
  const fleet = startFleet()
  const nowMs = Date.now()
  const chain = [SMALL, 'claude-sonnet-4-6']
  const job = aJob({ chain, submittedAtMs: nowMs, deadlineAtMs: nowMs + 60_000 })
  await fleet.store.submit(job, '', nowMs + 60_000)
  await queueStep(fleet, job, [], advance(job, [], null, nowMs).next!)
  expect(await fleet.queue.waitingSteps(SMALL, 10)).toHaveLength(1)

  const watch = await fleet.startWorker()
  for (let i = 0; i < 3; i += 1) await watch.report(SMALL, network)
  await vi.waitFor(async () => {
    expect(await fleet.queue.waitingSteps('claude-sonnet-4-6', 10)).toMatchObject([
      { jobId: job.id, step: 1, attempt: 2 },
    ])
  }, 5000)
  expect(await fleet.queue.waitingSteps(SMALL, 10)).toEqual([])
  expect((await fleet.store.read(job.id))!.steps).toMatchObject([
    { model: SMALL, outcome: { kind: 'failed', failure: 'breaker_open' } },
  ])
})

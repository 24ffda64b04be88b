import type { StepRef } from '@hyperguild/core/advance.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import type { Lease, StepHandler } from './job-queue.ts'
import { openTestQueue, stepOf, type TestQueue } from './queue.fixture.ts'

const SMALL = 'ollama/small'
const open = () => openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })

/** Serves the queue with a worker that does steps like this. */
function serve(at: TestQueue, onStep: StepHandler) {
  const consumer = at.queue.serve(SMALL, {
    connection: at.connect(),
    leases: at.keepLeases(),
    concurrency: 1,
    workerId: 'w1',
    onStep,
    onError: () => {},
  })
  onTestFinished(() => consumer.close(0))
  return consumer
}

test('a step reaches a worker of its model as it was queued', async () => {
  const at = open()
  const job = await at.submit()
  const taken = Promise.withResolvers<StepRef>()
  serve(at, async (step) => {
    taken.resolve(step)
    return null
  })
  await at.queue.add(stepOf(job))
  expect(await taken.promise).toEqual(stepOf(job))
})

test('queueing a step twice, also by two at once, is as queueing it once', async () => {
  const at = open()
  const job = await at.submit()
  await Promise.all([at.queue.add(stepOf(job)), at.queue.add(stepOf(job))])
  await at.queue.add(stepOf(job))
  await at.queue.revive(stepOf(job), async () => true)
  expect(await at.queued(SMALL)).toEqual([`${job.id}-0`])
})

test('a step that is done is not done again because somebody queues it once more', async () => {
  const at = open()
  const job = await at.submit()
  let count = 0
  serve(at, async () => {
    count += 1
    return null
  })
  await at.queue.add(stepOf(job))
  await vi.waitFor(async () => {
    expect(await at.queue.queueFor(SMALL).getCompletedCount()).toBe(1)
  })
  await at.queue.add(stepOf(job))
  expect(await at.queued(SMALL)).toEqual([])
  expect(count).toBe(1)
})

test('a step that is recorded by the time its queue is asked is not done again', async () => {
  const at = open()
  const job = await at.submit()
  const consumer = serve(at, async () => null)
  await at.queue.add(stepOf(job))
  const { queueFor } = at.queue
  await vi.waitFor(async () => expect(await queueFor(SMALL).getCompletedCount()).toBe(1))
  await consumer.close(0)
  await at.queue.revive(stepOf(job), async () => false)
  expect(await at.queued(SMALL)).toEqual([])
  await at.queue.revive(stepOf(job), async () => true)
  expect(await at.queued(SMALL)).toEqual([`${job.id}-0`])
})

test('the worker at a step holds a lease, which is what its commit is compared with', async () => {
  const at = open()
  const job = await at.submit()
  const held = Promise.withResolvers<Lease>()
  const release = Promise.withResolvers<null>()
  serve(at, (_, lease) => {
    held.resolve(lease)
    return release.promise
  })
  await at.queue.add(stepOf(job))
  const { token } = await held.promise
  expect(await at.store.isLeased(stepOf(job))).toBe(true)
  expect(await at.redis.get(at.keys.lock('local.small', `${job.id}-0`))).toBe(token)
  release.resolve(null)
  await vi.waitFor(async () => expect(await at.store.isLeased(stepOf(job))).toBe(false))
})

test('a step that nobody needs leaves its queue, but not the hands of a worker', async () => {
  const at = open()
  const [held, waiting] = [await at.submit(), await at.submit()]
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<null>()
  serve(at, () => {
    begun.resolve()
    return release.promise
  })
  await at.queue.add(stepOf(held))
  await begun.promise
  await at.queue.add(stepOf(waiting))
  await at.queue.drop(stepOf(waiting))
  await at.queue.drop(stepOf(held))
  await at.queue.drop(stepOf({ ...held, id: 'unknown' }))
  expect(await at.queued(SMALL)).toEqual([])
  expect(await at.store.isLeased(stepOf(held))).toBe(true)
  release.resolve(null)
})

test('a worker that shuts down gives its step back, and another one takes it', async () => {
  const at = open()
  const job = await at.submit()
  const begun = Promise.withResolvers<AbortSignal>()
  const consumer = serve(at, (_, { signal }) => {
    begun.resolve(signal)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  })
  await at.queue.add(stepOf(job))
  const signal = await begun.promise
  await consumer.close(0)
  expect(signal.aborted).toBe(true)
  expect(await at.queued(SMALL)).toEqual([`${job.id}-0`])

  const taken = Promise.withResolvers<StepRef>()
  serve(at, async (step) => {
    taken.resolve(step)
    return null
  })
  expect(await taken.promise).toEqual(stepOf(job))
})

test('a worker that shuts down lets a step finish that does so in time', async () => {
  const at = open()
  const job = await at.submit()
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<null>()
  const consumer = serve(at, () => {
    begun.resolve()
    return release.promise
  })
  await at.queue.add(stepOf(job))
  await begun.promise
  const closed = consumer.close(60_000)
  release.resolve(null)
  await closed
  expect(await at.queue.queueFor(SMALL).getCompletedCount()).toBe(1)
})

test('the work on a job that somebody else ended is stopped, and its step counts as done', async () => {
  const at = open()
  const job = await at.submit()
  const begun = Promise.withResolvers<void>()
  const consumer = serve(at, (_, { signal }) => {
    begun.resolve()
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  })
  await at.queue.add(stepOf(job))
  await begun.promise
  expect(consumer.jobs()).toEqual([job.id])
  consumer.abort('another job')
  consumer.abort(job.id)
  await vi.waitFor(async () => {
    expect(await at.queue.queueFor(SMALL).getCompletedCount()).toBe(1)
  })
  expect(consumer.jobs()).toEqual([])
})

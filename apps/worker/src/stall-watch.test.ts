import { readBacklogs } from '@hyperguild/io/queue/backlog.ts'
import { openTestQueue, stepOf } from '@hyperguild/io/queue/queue.fixture.ts'
import { expect, inject, onTestFinished, test as plainTest } from 'vitest'
import { createProgress } from './progress.ts'
import { watchForStalls } from './stall-watch.ts'

const QUEUE = 'local.small'

/** A worker with one place for the small model, which takes nothing by itself. The clock stands still. */
const test = plainTest.extend('worker', () => {
  const fixture = openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })
  const { redis, keys, clock } = fixture
  const now = () => clock.ms
  const progress = createProgress(now)
  let looks = Promise.withResolvers<void>()
  const watch = watchForStalls({
    progress,
    now,
    everyMs: 1,
    placesOf: () => 1,
    async readBacklogs() {
      const backlogs = await readBacklogs(redis, keys, [QUEUE])
      queueMicrotask(looks.resolve)
      return backlogs
    },
  })
  onTestFinished(watch.close)
  /** How long it has stalled, once it has looked at what is there now. */
  const stalledMs = async () => {
    for (let look = 0; look < 2; look += 1) {
      looks = Promise.withResolvers()
      await looks.promise
    }
    await new Promise((resolve) => setImmediate(resolve))
    return watch.stalledMs()
  }
  const addStep = async (number = 0) => {
    const job = await fixture.submit()
    await fixture.queue.add(stepOf(job, { step: number }))
  }
  return { ...fixture, progress, stalledMs, addStep }
})

test('a worker that has nothing to do has not stalled', async ({ worker }) => {
  worker.clock.ms = 3_600_000
  expect(await worker.stalledMs()).toBe(0)
})

test('work that a free worker does not take is a stall, until it takes some', async ({
  worker,
}) => {
  const { clock, progress } = worker
  clock.ms = 3_600_000
  await worker.addStep()
  expect(await worker.stalledMs()).toBe(0)
  clock.ms += 60_000
  expect(await worker.stalledMs()).toBe(60_000)

  await progress.track(QUEUE, async () => {})
  expect(await worker.stalledMs()).toBe(0)
  clock.ms += 5_000
  expect(await worker.stalledMs()).toBe(5_000)
})

test('a worker that is busy with this queue has not stalled', async ({ worker }) => {
  const { clock, progress } = worker
  const finish = Promise.withResolvers<void>()
  const busy = progress.track(QUEUE, () => finish.promise)
  await worker.addStep()
  await worker.stalledMs()
  clock.ms = 3_600_000
  expect(await worker.stalledMs()).toBe(0)
  finish.resolve()
  await busy
})

test('work that may not begin is no stall', async ({ worker }) => {
  const { clock, queue } = worker
  await worker.addStep()
  await queue.pause('ollama/small')
  await worker.stalledMs()
  clock.ms = 3_600_000
  expect(await worker.stalledMs()).toBe(0)
  await queue.resume('ollama/small')
  await worker.stalledMs()
  clock.ms += 1_000
  expect(await worker.stalledMs()).toBe(1_000)

  await queue.limitParallel('ollama/small', 1)
  await worker.redis.lpush(`${worker.keys.prefix}:${QUEUE}:active`, 'the step of another worker')
  expect(await worker.stalledMs()).toBe(0)
})

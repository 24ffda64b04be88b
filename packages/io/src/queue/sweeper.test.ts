import { advance } from '@hyperguild/core/advance.ts'
import { failed } from '@hyperguild/core/job.fixture.ts'
import type { Job } from '@hyperguild/core/job.ts'
import type { Step } from '@hyperguild/core/step.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { openTestQueue, stepOf, type TestQueue } from './queue.fixture.ts'
import { sweep } from './sweeper.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'
const UNSERVED_MS = 30_000
const STEP_LIMIT_MS = 20_000

const open = () => openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })

/** Lets the sweeper look once, with workers that serve these models' queues. */
function sweepOnce(at: TestQueue, served: readonly string[] = ['local.small', 'local.large']) {
  return sweep({
    ...at.records,
    isServed: async (queue) => served.includes(queue),
    stepLimitMs: (_job, kind) => (kind === 'apply' ? null : STEP_LIMIT_MS),
    onError(error) {
      throw error
    },
  })
}

/** Records a step like a worker that dies before it queues the next one. */
async function recordAndDie(at: TestQueue, job: Job, record: Step): Promise<void> {
  const next = advance(job, [], record, at.clock.ms)
  const to = { step: stepOf(job), job, fence: 'unleased', lookAtMs: 0 } as const
  expect(await at.store.commit(to, record, next)).toBe('ok')
}

const idOf = (job: Job, step: number) => `${job.id}-${step}`

test('the first step of a job whose gateway died is queued', async () => {
  const at = open()
  const job = await at.submit()
  await sweepOnce(at)
  expect(await at.queued(SMALL)).toEqual([idOf(job, 0)])
})

test('the next step of a job whose worker died after recording is queued', async () => {
  const at = open()
  const job = await at.submit()
  await recordAndDie(at, job, failed(SMALL, 'network'))
  await sweepOnce(at)
  expect(await at.queued(SMALL)).toEqual([])
  expect(await at.queued(LARGE)).toEqual([idOf(job, 1)])
})

test('a step that waits in its queue is left there, however often one looks', async () => {
  const at = open()
  const job = await at.submit()
  for (let i = 0; i < 3; i++) {
    await sweepOnce(at)
    at.clock.ms += 30_000
  }
  expect(await at.queued(SMALL)).toEqual([idOf(job, 0)])
})

test('a job is looked at again only after a while', async () => {
  const at = open()
  const job = await at.submit()
  await sweepOnce(at)
  expect(await at.store.dueJobs(29_999, 10)).toEqual([])
  expect(await at.store.dueJobs(30_000, 10)).toEqual([job.id])
})

test.each([
  ['gave up', () => Promise.reject(new Error('a bug'))],
  ['took for done, though nothing was recorded', () => Promise.resolve(null)],
])('a step that its queue %s is queued again', async (_, end) => {
  const at = open()
  const job = await at.submit()
  await at.queue.add(stepOf(job))
  const consumer = at.queue.serve(SMALL, {
    connection: at.connect(),
    leases: at.keepLeases(),
    concurrency: 1,
    workerId: 'w1',
    onStep: end,
    onError: () => {},
  })
  await vi.waitFor(async () => {
    const step = await at.queue.queueFor(SMALL).getJob(idOf(job, 0))
    expect(step?.finishedOn).toBeDefined()
  })
  await consumer.close(0)
  await sweepOnce(at)
  expect(await at.queued(SMALL)).toEqual([idOf(job, 0)])
})

test('a job past its deadline is ended, and its step leaves the queue', async () => {
  const at = open()
  const job = await at.submit()
  await at.queue.add(stepOf(job))
  at.clock.ms = job.deadlineAtMs + 5001
  await sweepOnce(at)
  expect(await at.store.attach(job.id, 'g')).toMatchObject({
    status: 'error',
    message: expect.stringContaining('passed its deadline'),
  })
  expect(await at.queued(SMALL)).toEqual([])
  expect(await at.store.dueJobs(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
})

test('a worker that is at it has a moment after the deadline to end the job itself', async () => {
  const at = open()
  const job = await at.submit()
  at.clock.ms = job.deadlineAtMs + 5000
  await sweepOnce(at)
  expect(await at.store.attach(job.id, 'g')).toBeNull()
})

test('a step that no worker serves is given up after a while, and the next model is queued', async () => {
  const at = open()
  const job = await at.submit({ deadlineAtMs: 600_000 })
  await at.queue.add(stepOf(job))
  at.clock.ms = UNSERVED_MS - 1
  await sweepOnce(at, ['local.large'])
  expect((await at.store.read(job.id))!.steps).toEqual([])

  at.clock.ms = 2 * UNSERVED_MS
  await sweepOnce(at, ['local.large'])
  expect((await at.store.read(job.id))!.steps).toMatchObject([
    { model: SMALL, outcome: { kind: 'failed', failure: 'unserved' }, worker: 'sweeper' },
  ])
  expect([await at.queued(SMALL), await at.queued(LARGE)]).toEqual([[], [idOf(job, 1)]])
})

test('a step that a worker holds is not given up, though nobody serves its queue any more', async () => {
  const at = open()
  const job = await at.submit()
  await at.lease(stepOf(job), 'w1')
  at.clock.ms = UNSERVED_MS
  await sweepOnce(at, [])
  expect((await at.store.read(job.id))!.steps).toEqual([])
})

test('waiting counts from the step before, not from the beginning of the job', async () => {
  const at = open()
  const job = await at.submit({ deadlineAtMs: 600_000 })
  await recordAndDie(at, job, { ...failed(SMALL, 'network'), finishedAtMs: 20_000 })
  at.clock.ms = 20_000 + UNSERVED_MS - 1
  await sweepOnce(at, [])
  expect((await at.store.read(job.id))!.steps).toHaveLength(1)
  at.clock.ms += UNSERVED_MS
  await sweepOnce(at, [])
  expect((await at.store.read(job.id))!.steps).toHaveLength(2)
})

test('a job whose record is lost is not looked for again and again', async () => {
  const at = open()
  const lost = await at.submit()
  await at.redis.del(at.keys.job(lost.id))
  const job = await at.submit()
  await sweepOnce(at)
  expect(await at.queued(SMALL)).toEqual([idOf(job, 0)])
  expect(await at.store.dueJobs(Number.MAX_SAFE_INTEGER, 10)).toEqual([job.id])
})

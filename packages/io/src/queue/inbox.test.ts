import { advance } from '@hyperguild/core/advance.ts'
import { failed } from '@hyperguild/core/job.fixture.ts'
import type { Job, JobEvent } from '@hyperguild/core/job.ts'
import { afterEach, expect, inject, onTestFinished, test, vi } from 'vitest'
import { type Inbox, JobGone, openInbox } from './inbox.ts'
import { openTestQueue, stepOf, type TestQueue, WORKS } from './queue.fixture.ts'

const SMALL = 'ollama/small'
const NOTHING = () => {}

afterEach(() => {
  vi.useRealTimers()
})

function open() {
  const at = openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })
  return { at, inbox: openInboxOf(at, 'gateway-1') }
}

function openInboxOf(at: TestQueue, gatewayId: string): Inbox {
  const { redis, store, keys } = at
  const onError = (error: unknown) => {
    throw error
  }
  const inbox = openInbox({ redis, blocking: at.connect(), store, keys, gatewayId, onError })
  onTestFinished(() => inbox.close())
  return inbox
}

/** Ends a job of one model, which its only attempt failed. */
async function end(at: TestQueue, job: Job): Promise<void> {
  const record = failed(SMALL, 'network')
  const to = { step: stepOf(job), job, fence: 'unleased', lookAtMs: 0 } as const
  expect(await at.store.commit(to, record, advance(job, [], record, 6000))).toBe('ok')
}

const oneModel = { chain: [SMALL] }

test('who waits hears of every phase in order, then gets the result', async () => {
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  const events: JobEvent[] = []
  const { result } = inbox.listen(job.id, (event) => events.push(event))
  await at.store.begin(stepOf(job), WORKS, 'w1')
  await end(at, job)
  expect(await result).toMatchObject({ job_id: job.id, status: 'error' })
  expect(events.map(({ kind }) => kind)).toEqual(['generating', 'judged', 'done'])
})

test('two who wait for the same job both get its result, and each job only its own', async () => {
  const { at, inbox } = open()
  const [one, other] = [await at.submit(oneModel), await at.submit(oneModel)]
  const listening = [one, one, other].map((job) => inbox.listen(job.id, NOTHING).result)
  await end(at, one)
  await end(at, other)
  const results = await Promise.all(listening)
  expect(results.map(({ job_id }) => job_id)).toEqual([one.id, one.id, other.id])
  expect(results[0]).toEqual(results[1])
})

test('two gateways that wait for the same job both hear of it', async () => {
  const { at, inbox } = open()
  const second = openInboxOf(at, 'gateway-2')
  const job = await at.submit(oneModel)
  const first = inbox.listen(job.id, NOTHING)
  const joined = second.listen(job.id, NOTHING)
  expect(await at.store.attach(job.id, 'gateway-2')).toBeNull()
  await end(at, job)
  expect(await joined.result).toEqual(await first.result)
})

test('who comes after the end gets the result at once', async () => {
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  await end(at, job)
  const { result } = inbox.follow(job.id, NOTHING)
  expect(await result).toMatchObject({ job_id: job.id })
})

test('who comes back to an open job joins those who wait for it', async () => {
  const { at } = open()
  const second = openInboxOf(at, 'gateway-2')
  const job = await at.submit(oneModel)
  const { result } = second.follow(job.id, NOTHING)
  await vi.waitFor(async () => expect(await at.store.waiters(job.id)).toContain('gateway-2'))
  await end(at, job)
  expect(await result).toMatchObject({ job_id: job.id })
})

test('a notice that was lost is made up for by looking at the record', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  const { result } = inbox.listen(job.id, NOTHING)
  await at.redis.del(at.keys.waiters(job.id))
  await end(at, job)
  expect(await at.redis.exists(at.keys.inbox('gateway-1'))).toBe(0)
  await vi.advanceTimersToNextTimerAsync()
  expect(await result).toMatchObject({ job_id: job.id })
})

test('a waiter whose name Redis lost joins again and hears the end', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  const { result } = inbox.listen(job.id, NOTHING)
  await at.redis.del(at.keys.waiters(job.id))
  await vi.advanceTimersToNextTimerAsync()
  await vi.waitFor(async () => expect(await at.store.waiters(job.id)).toEqual(['gateway-1']))
  await end(at, job)
  expect(await result).toMatchObject({ job_id: job.id })
})

test('a job whose record is lost is reported as such instead of being waited for', async () => {
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  const { result } = inbox.follow(job.id, NOTHING)
  const gone = expect(result).rejects.toThrow(JobGone)
  await at.redis.del(at.keys.job(job.id))
  await at.redis.xadd(
    at.keys.inbox('gateway-1'),
    '*',
    ...['job', job.id, 'event', JSON.stringify({ kind: 'done' })],
  )
  await gone
})

test('who stops waiting hears nothing more, and others still do', async () => {
  const { at, inbox } = open()
  const job = await at.submit(oneModel)
  const heard: string[] = []
  const left = inbox.listen(job.id, () => heard.push('left'))
  const stayed = inbox.listen(job.id, () => heard.push('stayed'))
  left.stop()
  expect(inbox.isHeard(job.id)).toBe(true)
  await end(at, job)
  await stayed.result
  expect(new Set(heard)).toEqual(new Set(['stayed']))
  expect(inbox.isHeard(job.id)).toBe(false)
})

import { setTimeout as pause } from 'node:timers/promises'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { JobEvent } from '@hyperguild/core/job.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import type { Redis } from 'ioredis'
import type { JobStore } from './job-store.ts'
import type { Keys } from './keys.ts'
import { replyUnless } from './redis.ts'

/** Notices are hints: what they say is checked against the record, and the record is asked again this often. */
const RECHECK_MS = 5_000
const AFTER_ERROR_MS = 500
/** A dead gateway's inbox disappears by itself. */
const INBOX_TTL_MS = 3_600_000

export interface Listening {
  /** Rejects with `JobGone` when the job's record is lost. */
  result: Promise<JobResult>
  stop(): void
}

/** Where a gateway hears of the jobs it waits for: one stream, read by one blocked connection, however many wait. */
export interface Inbox {
  /** The name under which this gateway joins a job's waiters. */
  gatewayId: string
  /** Call it before the job is submitted or attached to, so that no notice is missed. */
  listen(jobId: string, onEvent: (event: JobEvent) => void): Listening
  /** As `listen`, for a job that is there already. */
  follow(jobId: string, onEvent: (event: JobEvent) => void): Listening
  /** Whether a call of this gateway waits for the job. */
  isHeard(jobId: string): boolean
  close(): Promise<void>
}

/** A job that was accepted but whose record Redis no longer has. */
export class JobGone extends RequestError {
  constructor(jobId: string) {
    super(
      'gone',
      `the record of job ${jobId} is gone: its retention ended, or Redis lost it; submit it again`,
    )
    this.name = 'JobGone'
  }
}

interface Waiter {
  onEvent(event: JobEvent): void
  resolve(result: JobResult): void
  reject(error: Error): void
}

export interface InboxOptions {
  redis: Redis
  /** A connection of its own, since it blocks; its commands wait while Redis is away. */
  blocking: Redis
  store: JobStore
  keys: Keys
  gatewayId: string
  onError(error: unknown): void
}

export function openInbox(options: InboxOptions): Inbox {
  const { redis, blocking, store, keys, gatewayId } = options
  const key = keys.inbox(gatewayId)
  const calls = createWaitingCalls()
  const closing = new AbortController()
  let lastId = '0-0'

  async function settle(jobId: string): Promise<void> {
    const result = await store.attach(jobId, gatewayId)
    if (result !== null) calls.answer(jobId, result ?? new JobGone(jobId))
  }

  async function read(): Promise<void> {
    const next = blocking.xread('COUNT', 500, 'BLOCK', RECHECK_MS, 'STREAMS', key, lastId)
    const reply = await replyUnless(closing.signal, next)
    for (const [id, fields] of reply?.[0]?.[1] ?? []) {
      lastId = id
      const { job, event } = noticeFrom(fields)
      calls.tell(job, event)
      if (event.kind === 'done' && calls.has(job)) void settle(job).catch(options.onError)
    }
  }

  async function readOn(): Promise<void> {
    while (!closing.signal.aborted) {
      await read().catch(async (error: unknown) => {
        if (closing.signal.aborted) return
        options.onError(error)
        await pause(AFTER_ERROR_MS, undefined, { signal: closing.signal }).catch(() => {})
      })
    }
  }

  const recheck = setInterval(() => {
    void Promise.all(calls.jobs().map(settle)).catch(options.onError)
    void redis.pexpire(key, INBOX_TTL_MS).catch(options.onError)
  }, RECHECK_MS)
  const reading = readOn()

  return {
    gatewayId,
    listen: calls.listen,

    follow(jobId, onEvent) {
      const listening = calls.listen(jobId, onEvent)
      void settle(jobId).catch(options.onError)
      return listening
    },

    isHeard: calls.has,

    async close() {
      closing.abort()
      clearInterval(recheck)
      blocking.disconnect()
      await reading
    },
  }
}

/** The calls of this gateway that wait, by job. */
function createWaitingCalls() {
  const waiters = new Map<string, Set<Waiter>>()
  return {
    has: (jobId: string) => waiters.has(jobId),
    jobs: () => [...waiters.keys()],

    listen(jobId: string, onEvent: (event: JobEvent) => void): Listening {
      const { promise, resolve, reject } = Promise.withResolvers<JobResult>()
      const waiter = { onEvent, resolve, reject }
      const set = waiters.get(jobId) ?? new Set()
      waiters.set(jobId, set.add(waiter))
      return {
        result: promise,
        stop() {
          set.delete(waiter)
          if (set.size === 0 && waiters.get(jobId) === set) waiters.delete(jobId)
        },
      }
    },

    tell(jobId: string, event: JobEvent): void {
      for (const waiter of waiters.get(jobId) ?? []) waiter.onEvent(event)
    },

    answer(jobId: string, answer: JobResult | JobGone): void {
      const settled = waiters.get(jobId) ?? []
      waiters.delete(jobId)
      for (const waiter of settled) {
        if (answer instanceof JobGone) waiter.reject(answer)
        else waiter.resolve(answer)
      }
    },
  }
}

function noticeFrom(fields: string[]): { job: string; event: JobEvent } {
  const [, job, , event] = fields
  return { job: job!, event: JSON.parse(event!) as JobEvent }
}

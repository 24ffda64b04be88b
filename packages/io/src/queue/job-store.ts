import { type Advance, queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { Job, JobEvent } from '@hyperguild/core/job.ts'
import type { JobResult, SessionEntry } from '@hyperguild/core/result.ts'
import type { Step } from '@hyperguild/core/step.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'
import { defineScripts } from './scripts.ts'

/** Whose hand a commit is made by: a worker holding the step's lease, the sweeper (nobody may hold it), or an override. */
export type Fence = { leaseToken: string } | 'unleased' | 'override'

/** `ok` is the only reply after which anything has changed. */
export type CommitReply = 'ok' | 'moved' | 'done' | 'fenced' | 'gone'

export type Begun =
  | { state: 'go'; job: Job; steps: Step[]; starts: number }
  | { state: 'moved'; job: Job; steps: Step[] }
  | { state: 'done' | 'gone' }

export interface JobRecord {
  job: Job
  steps: Step[]
  result: JobResult | null
}

/** The record of jobs in Redis. Every change of a job is one script: all of it happens, or nothing. */
export interface JobStore {
  /** False when a job of that id is there already. */
  submit(job: Job, gatewayId: string, lookAtMs: number): Promise<boolean>
  begin(step: StepRef, event: JobEvent): Promise<Begun>
  commit(
    at: { step: StepRef; job: Job; fence: Fence; lookAtMs: number },
    record: Step | null,
    advance: Advance,
  ): Promise<CommitReply>
  /** The result, or null after joining those who wait for it; undefined when there is no such job. */
  attach(jobId: string, gatewayId: string): Promise<JobResult | null | undefined>
  read(jobId: string): Promise<JobRecord | null>
  /** Open jobs that the sweeper should look at, longest due first. */
  dueJobs(nowMs: number, limit: number): Promise<string[]>
  lookAgain(jobId: string, atMs: number): Promise<void>
  isLeased(step: StepRef): Promise<boolean>
  /** The latest entries of a session, oldest first. */
  recentEntries(sessionId: string): Promise<SessionEntry[]>
}

const WAITERS_TTL_MS = 3_600_000
const SESSION_TTL_MS = 7 * 86_400_000

/** @param retentionMs how long a finished job can be fetched */
export function createJobStore(redis: Redis, keys: Keys, retentionMs: number): JobStore {
  defineScripts(redis)
  const leaseOf = (step: StepRef) => keys.lock(queueOfStep(step), stepIdOf(step))
  const inboxPrefix = keys.inbox('')
  return {
    async submit(job, gatewayId, lookAtMs) {
      const at = [keys.job(job.id), keys.open, keys.waiters(job.id)]
      const args = [job.id, JSON.stringify(job), lookAtMs, gatewayId, WAITERS_TTL_MS]
      return (await redis.hgSubmit(...at, ...args)) === 1
    },

    async begin(step, event) {
      const at = [keys.job(step.jobId), keys.steps(step.jobId), keys.waiters(step.jobId)]
      const args = [step.jobId, step.step, inboxPrefix, JSON.stringify(event)]
      return begunFrom(await redis.hgBegin(...at, ...args))
    },

    async commit({ step, job, fence, lookAtMs }, record, advance) {
      const id = job.id
      const at = [keys.job(id), keys.steps(id), keys.waiters(id), keys.open, keys.attempts]
      const more = [keys.entries, leaseOf(step), keys.session(job.sessionId)]
      const reply = await redis.hgCommit(
        ...at,
        ...more,
        id,
        step.step,
        fence === 'unleased' ? '' : fence === 'override' ? '*' : fence.leaseToken,
        record ? JSON.stringify(record) : '',
        advance.attempt ? JSON.stringify(advance.attempt) : '',
        advance.end ? JSON.stringify(advance.end.result) : '',
        advance.end ? JSON.stringify(advance.end.entry) : '',
        lookAtMs,
        retentionMs,
        inboxPrefix,
        SESSION_TTL_MS,
        JSON.stringify(advance.end?.notes ?? []),
        ...advance.events.map((event) => JSON.stringify(event)),
      )
      return reply as CommitReply
    },

    async attach(jobId, gatewayId) {
      const at = [keys.job(jobId), keys.waiters(jobId)]
      const [state, result] = await redis.hgAttach(...at, gatewayId, WAITERS_TTL_MS)
      if (state === 'gone') return undefined
      return state === 'done' ? (JSON.parse(result!) as JobResult) : null
    },

    read: (jobId) => readRecord(redis, keys, jobId),

    dueJobs: (nowMs, limit) =>
      redis.zrange(keys.open, '-inf', String(nowMs), 'BYSCORE', 'LIMIT', 0, limit),

    async lookAgain(jobId, atMs) {
      await redis.zadd(keys.open, 'XX', atMs, jobId)
    },

    async isLeased(step) {
      return (await redis.exists(leaseOf(step))) === 1
    },

    async recentEntries(sessionId) {
      const lines = await redis.lrange(keys.session(sessionId), 0, -1)
      return lines.map((line) => JSON.parse(line) as SessionEntry)
    },
  }
}

async function readRecord(redis: Redis, keys: Keys, jobId: string): Promise<JobRecord | null> {
  const [[, fields], [, steps]] = (await redis
    .multi()
    .hmget(keys.job(jobId), 'job', 'result')
    .lrange(keys.steps(jobId), 0, -1)
    .exec()) as [[null, [string | null, string | null]], [null, string[]]]
  const [job, result] = fields
  if (job === null) return null
  return {
    job: JSON.parse(job) as Job,
    steps: steps.map((step) => JSON.parse(step) as Step),
    result: result === null ? null : (JSON.parse(result) as JobResult),
  }
}

function begunFrom(reply: [string, string?, number?, ...string[]]): Begun {
  const [state, job, starts, ...steps] = reply
  if (state === 'done' || state === 'gone') return { state }
  const record = {
    job: JSON.parse(job!) as Job,
    steps: steps.map((step) => JSON.parse(step) as Step),
  }
  return state === 'go' ? { state, ...record, starts: starts! } : { state: 'moved', ...record }
}

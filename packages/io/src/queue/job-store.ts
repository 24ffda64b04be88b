import { randomUUID } from 'node:crypto'
import { type Advance, queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { Job, JobEvent } from '@hyperguild/core/job.ts'
import { endOf, headOf } from '@hyperguild/core/job-status.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import type { Step } from '@hyperguild/core/step.ts'
import type { Redis } from 'ioredis'
import { createDeadLetters, type DeadLetters, type Start } from './dead-letters.ts'
import { createJobReads, type JobReads } from './job-reads.ts'
import type { Keys } from './keys.ts'
import { defineScripts } from './scripts.ts'

/** Whose hand a commit is made by: a worker holding the step's lease, the sweeper (nobody may hold it), or an override. */
export type Fence = { leaseToken: string } | 'unleased' | 'override'

/** `ok` is the only reply after which anything has changed. */
export type CommitReply = 'ok' | 'moved' | 'done' | 'fenced' | 'gone'

export type Begun =
  | { state: 'go'; job: Job; steps: Step[]; starts: number; starters: Start[] }
  | { state: 'moved'; job: Job; steps: Step[] }
  | { state: 'done' | 'gone' }

/** The record of jobs in Redis. Every change of a job is one script: all of it happens, or nothing. */
export interface JobStore extends JobReads {
  dead: DeadLetters
  /**
   * Answers with the id of the job that does the work: an earlier one, when the same call is open, or was named by its
   * caller. An empty gateway id waits for nothing.
   */
  submit(job: Job, gatewayId: string, lookAtMs: number): Promise<string>
  begin(step: StepRef, event: JobEvent, worker: string): Promise<Begun>
  /** Takes a start back: the worker leaves the step to others, and did not die on it. */
  giveBack(step: StepRef, worker: string): Promise<void>
  commit(
    at: { step: StepRef; job: Job; fence: Fence; lookAtMs: number },
    record: Step | null,
    advance: Advance,
  ): Promise<CommitReply>
  /** The result, or null after joining those who wait for it; undefined when there is no such job. */
  attach(jobId: string, gatewayId: string): Promise<JobResult | null | undefined>
  /** Leaves a sign that somebody still wants the job. */
  see(jobId: string): Promise<void>
  lookAgain(jobId: string, atMs: number): Promise<void>
  /** Strikes a job whose record is lost from the open ones. */
  forget(jobId: string): Promise<void>
}

const WAITERS_TTL_MS = 3_600_000
const SESSION_TTL_MS = 7 * 86_400_000
/** Longer than any grace that a job without a caller is given. */
const SEEN_TTL_MS = 3_600_000
const JOBS_LISTED = 1000

/** @param retentionMs how long a finished job can be fetched */
export function createJobStore(redis: Redis, keys: Keys, retentionMs: number): JobStore {
  defineScripts(redis)
  const leaseOf = (step: StepRef) => keys.lock(queueOfStep(step), stepIdOf(step))
  const inboxPrefix = keys.inbox('')
  return {
    ...createJobReads(redis, keys),

    submit: (job, gatewayId, lookAtMs) =>
      redis.hgSubmit(...submitArguments(keys, retentionMs, job, gatewayId, lookAtMs)),

    dead: createDeadLetters(redis, keys),

    async begin(step, event, worker) {
      const at = [keys.job(step.jobId), keys.steps(step.jobId), keys.waiters(step.jobId)]
      const args = [step.jobId, step.step, inboxPrefix, JSON.stringify(event), worker]
      return begunFrom(await redis.hgBegin(...at, ...args))
    },

    async giveBack(step, worker) {
      await redis.hgGiveBack(keys.job(step.jobId), step.step, worker)
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
        // A job of no session has its file, and nobody asks for it before that is written.
        job.sessionId === job.id ? 0 : SESSION_TTL_MS,
        JSON.stringify(advance.end?.notes ?? []),
        advance.end ? JSON.stringify(endOf(advance.end.result, job)) : '',
        keys.endings,
        ...advance.events.map((event) => JSON.stringify(event)),
      )
      return reply as CommitReply
    },

    async attach(jobId, gatewayId) {
      const at = [keys.job(jobId), keys.waiters(jobId), keys.seen(jobId)]
      const args = [gatewayId, WAITERS_TTL_MS, SEEN_TTL_MS]
      const [state, result] = await redis.hgAttach(...at, ...args)
      if (state === 'gone') return undefined
      return state === 'done' ? (JSON.parse(result!) as JobResult) : null
    },

    async see(jobId) {
      await redis.set(keys.seen(jobId), randomUUID(), 'PX', SEEN_TTL_MS)
    },

    async lookAgain(jobId, atMs) {
      await redis.zadd(keys.open, 'XX', atMs, jobId)
    },

    async forget(jobId) {
      await redis.zrem(keys.open, jobId)
    },
  }
}

/** In the order of submit.lua. */
function submitArguments(
  keys: Keys,
  retentionMs: number,
  job: Job,
  gatewayId: string,
  lookAtMs: number,
): (string | number)[] {
  const { id, submittedAtMs, deadlineAtMs } = job
  const call = keys.call(job.callKey ?? id)
  const keptMs = deadlineAtMs - submittedAtMs + retentionMs
  return [
    ...[keys.job(id), keys.open, keys.waiters(id), call, keys.jobsOf(job.principal), keys.jobs],
    id,
    JSON.stringify(job),
    lookAtMs,
    gatewayId,
    WAITERS_TTL_MS,
    JSON.stringify(headOf(job)),
    submittedAtMs,
    submittedAtMs - keptMs,
    JOBS_LISTED,
    keptMs,
    keys.job(''),
    job.named ? '1' : '',
    SEEN_TTL_MS,
  ]
}

function begunFrom(reply: [string, string?, number?, string?, ...string[]]): Begun {
  const [state, job, starts, starters, ...steps] = reply
  if (state === 'done' || state === 'gone') return { state }
  const record = {
    job: JSON.parse(job!) as Job,
    steps: steps.map((step) => JSON.parse(step) as Step),
  }
  if (state !== 'go') return { state: 'moved', ...record }
  return { state, ...record, starts: starts!, starters: JSON.parse(starters!) as Start[] }
}

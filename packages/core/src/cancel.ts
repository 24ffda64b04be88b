import { type Advance, advance, endNow } from './advance.ts'
import { attemptsOf } from './decide.ts'
import type { Job, JobEvent } from './job.ts'
import { failedWork, type Step } from './step.ts'

/** A step that a worker has begun and not recorded yet. */
export interface Underway {
  /** The number of the step. */
  step: number
  atMs: number
  event: JobEvent
}

/** The end of a job that its caller no longer wants, and the record of the work that this cuts short. */
export interface Cancellation {
  record: Step | null
  advance: Advance
}

/**
 * Ends a job as cancelled. What a model was at, or what still waited for its verdict, stands in the record as an attempt.
 * Null when there is nothing left to cancel: the result is accepted and on its way into the caller's tree.
 */
export function cancelNow(
  job: Job,
  steps: readonly Step[],
  underway: Underway | null,
  nowMs: number,
): Cancellation | null {
  // Asked as of the beginning, so that a job past its deadline still says what it was at.
  const { decision } = advance(job, steps, null, job.submittedAtMs)
  if (decision.do === 'apply') return null
  const running = underway?.step === steps.length ? underway : null
  const cut = decision.do === 'verify' || (decision.do === 'generate' && running !== null)
  if (!cut) return { record: null, advance: endNow(job, steps, { kind: 'cancelled' }, nowMs) }
  const record: Step = {
    ...failedWork(decision.do, 'cancelled', 'the job was cancelled'),
    model: decision.model,
    startedAtMs: running?.atMs ?? nowMs,
    finishedAtMs: nowMs,
    warmStart: running?.event.kind === 'generating' ? running.event.warmStart : true,
    worker: 'gateway',
  }
  const all = [...steps, record]
  const attempt = attemptsOf(job, all).at(-1) ?? null
  return { record, advance: { ...endNow(job, all, { kind: 'cancelled' }, nowMs), attempt } }
}

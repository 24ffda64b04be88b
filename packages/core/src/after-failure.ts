import type { Failure } from './failure.ts'
import type { Job } from './job.ts'

/**
 * What a job does after a model gave no answer.
 * `wait`: the same model again, when the wait fits; else the next model.
 * `next`: the next model, at once.
 * `larger`: the next model that may hold more.
 * `next_or_wait`: the next model; where there is none, the same one again, when it is known when, and the wait fits.
 */
export type AfterFailure = 'wait' | 'next' | 'larger' | 'next_or_wait'

/** What each failure leads to. A new failure does not compile before it has a row here. */
export const AFTER_FAILURE = {
  rate_limited: 'wait',
  overloaded: 'wait',
  budget_exhausted: 'next',
  auth: 'next',
  context_overflow: 'larger',
  refusal: 'next',
  bad_output: 'next',
  timeout_first_token: 'next',
  timeout_stall: 'next',
  timeout_total: 'next',
  network: 'next',
  model_missing: 'next',
  tools_unsupported: 'next',
  server_error: 'next',
  breaker_open: 'next_or_wait',
  unserved: 'next',
  worker_died: 'next',
  loop_limit: 'next',
  cancelled: 'next',
  internal: 'next',
} as const satisfies Record<Failure, AfterFailure>

/** How long one attempt may wait for its own model before the next one gets its turn. */
export interface Patience {
  /** For all waits of an attempt together. */
  budgetMs: number
  /** The first wait where the server names none; each later one is twice as long, whatever the server says. */
  backoffMs: number
}

const DEFAULT_PATIENCE: Patience = { budgetMs: 30_000, backoffMs: 1_000 }

export interface FailedCall {
  failure: Failure
  finishedAtMs: number
  retryAfterMs?: number | undefined
}

/** The waits after the failed calls of one attempt, in milliseconds. */
export function waitsAfter(job: Pick<Job, 'patience'>, failed: readonly FailedCall[]): number[] {
  const { backoffMs } = job.patience ?? DEFAULT_PATIENCE
  return failed.map(({ retryAfterMs = 0 }, index) => Math.max(retryAfterMs, backoffMs * 2 ** index))
}

/** When the call that failed last may be tried again, in milliseconds since the epoch; null when that does not fit. */
export function retryAtMs(
  job: Pick<Job, 'patience' | 'deadlineAtMs'>,
  failed: readonly FailedCall[],
): number | null {
  const { budgetMs } = job.patience ?? DEFAULT_PATIENCE
  const waits = waitsAfter(job, failed)
  if (waits.reduce((sum, ms) => sum + ms, 0) > budgetMs) return null
  const atMs = failed.at(-1)!.finishedAtMs + waits.at(-1)!
  return atMs < job.deadlineAtMs ? atMs : null
}

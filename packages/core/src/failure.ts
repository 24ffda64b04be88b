import type { Usage } from './chat.ts'

/**
 * Why a model gave no usable answer. Health, not quality: none of these counts against what a model can do,
 * except `bad_output`, which never counts against its server.
 */
export const FAILURES = [
  'rate_limited',
  'overloaded',
  'budget_exhausted',
  'auth',
  'context_overflow',
  'refusal',
  'bad_output',
  'timeout_first_token',
  'timeout_stall',
  'timeout_total',
  'network',
  'model_missing',
  'tools_unsupported',
  'server_error',
  'breaker_open',
  'unserved',
  'worker_died',
  'loop_limit',
  'cancelled',
  'internal',
] as const
export type Failure = (typeof FAILURES)[number]

/** Thrown by a model client. `message` is ours and safe to show; provider text stays in `cause`. */
export class ModelFailure extends Error {
  readonly failure: Failure
  readonly httpStatus: number | undefined
  readonly retryAfterMs: number | undefined
  /** What the failed call spent, when the server told. */
  readonly usage: Usage | undefined

  constructor(
    failure: Failure,
    message: string,
    details: { httpStatus?: number; retryAfterMs?: number; usage?: Usage; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.name = 'ModelFailure'
    this.failure = failure
    this.httpStatus = details.httpStatus
    this.retryAfterMs = details.retryAfterMs
    this.usage = details.usage
  }
}

import type { Failure } from './failure.ts'

/**
 * What a call tells of the health of its server.
 * `well`: it answered; whether the answer is any good is not asked here.
 * `sick`: it may be down, which several such calls in a row make certain.
 * `shut`: no call can succeed before somebody or a date changes something.
 * `unclear`: nothing about its health.
 */
export type Health = 'well' | 'sick' | 'shut' | 'unclear'

/**
 * A bad answer is an answer, and a busy server lives. A model that thinks for too long need not be at a sick server.
 */
export const HEALTH_AFTER = {
  rate_limited: 'unclear',
  overloaded: 'unclear',
  budget_exhausted: 'shut',
  auth: 'shut',
  context_overflow: 'well',
  refusal: 'well',
  bad_output: 'well',
  timeout_first_token: 'sick',
  timeout_stall: 'sick',
  timeout_total: 'unclear',
  network: 'sick',
  model_missing: 'unclear',
  tools_unsupported: 'well',
  server_error: 'sick',
  breaker_open: 'unclear',
  unserved: 'unclear',
  worker_died: 'unclear',
  cancelled: 'unclear',
  loop_limit: 'well',
  internal: 'unclear',
} as const satisfies Record<Failure, Health>

/** A server that cannot be reached is down for all its models; behind one that answers, a single model may be ill. */
export function concernsWholeServer(failure: Failure): boolean {
  return failure === 'network'
}

/** Why a model is not to be called now, as all workers and gateways see it. */
export interface OpenBreaker {
  reason: Failure
  message: string
  openedAtMs: number
  /** When it is looked at again; null: when a worker that serves the model starts anew. */
  untilMs: number | null
  /** How often in a row it opened. */
  trips: number
  /** `half_open`: calls are let through, and the first of them decides. */
  state: 'open' | 'half_open'
}

const LONGEST_MS = 300_000
/** For budgets whose server names no date. */
const BUDGET_MS = 3_600_000

export interface SickCall {
  failure: Failure
  message: string
  retryAfterMs?: number | undefined
}

/** The breaker that such a call opens. Each time in a row it stays open twice as long. */
export function openedBy(
  call: SickCall,
  before: Pick<OpenBreaker, 'trips'> | null,
  openMs: number,
  nowMs: number,
): OpenBreaker {
  const trips = (before?.trips ?? 0) + 1
  const { failure: reason, message } = call
  return {
    reason,
    message,
    openedAtMs: nowMs,
    untilMs: untilMsOf(call, trips, openMs, nowMs),
    trips,
    state: 'open',
  }
}

function untilMsOf(
  { failure, retryAfterMs }: SickCall,
  trips: number,
  openMs: number,
  nowMs: number,
): number | null {
  if (failure === 'auth') return null
  if (failure === 'budget_exhausted') return nowMs + (retryAfterMs ?? BUDGET_MS)
  return nowMs + Math.min(LONGEST_MS, openMs * 2 ** (trips - 1))
}

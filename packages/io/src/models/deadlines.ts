import type { CallTimeouts } from '@hyperguild/core/chat.ts'
import type { Failure } from '@hyperguild/core/failure.ts'

export type TimeoutFailure = Extract<Failure, `timeout_${string}`>

export interface Deadlines {
  /** Aborts when the caller's signal does, or when a limit passes. */
  signal: AbortSignal
  /** Call it for each piece of output. */
  progress(): void
  /** Call it for a sign of life that may be the server's own: the wait for the model's first word begins anew. */
  patience(): void
  /** The limit that passed, if one did. */
  expired(): TimeoutFailure | null
  stop(): void
}

export function startDeadlines(timeouts: CallTimeouts, caller: AbortSignal): Deadlines {
  const controller = new AbortController()
  let expired: TimeoutFailure | null = null

  function arm(failure: TimeoutFailure, ms: number | undefined): NodeJS.Timeout | undefined {
    if (ms === undefined) return undefined
    return setTimeout(() => {
      expired = failure
      controller.abort()
    }, ms)
  }

  const total = arm('timeout_total', timeouts.totalMs)
  let silence = arm('timeout_first_token', timeouts.firstTokenMs)
  let isSpeaking = false
  return {
    signal: AbortSignal.any([caller, controller.signal]),
    progress() {
      if (isSpeaking) return void silence?.refresh()
      isSpeaking = true
      clearTimeout(silence)
      silence = arm('timeout_stall', timeouts.stallMs)
    },
    patience: () => void silence?.refresh(),
    expired: () => expired,
    stop() {
      clearTimeout(total)
      clearTimeout(silence)
    },
  }
}

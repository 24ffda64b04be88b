import type { StepRef } from './advance.ts'
import { NO_USAGE } from './chat.ts'
import type { Failure } from './failure.ts'
import { failedWork, type Step } from './step.ts'

/** The record of a step whose model was never asked, and why not. */
export function uncalledStep(
  step: StepRef,
  why: { failure: Failure; message: string; retryAfterMs?: number },
  by: { worker: string; nowMs: number },
): Step {
  const { kind, model } = step
  const work =
    kind === 'apply'
      ? failedWork(kind, why.failure, why.message)
      : { kind, outcome: { kind: 'failed' as const, ...why }, usage: NO_USAGE }
  const { worker, nowMs } = by
  const at = { startedAtMs: nowMs, finishedAtMs: nowMs, warmStart: false }
  return { ...work, ...at, model, worker }
}

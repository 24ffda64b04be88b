import { NO_USAGE, type Usage } from './chat.ts'
import type { Cost } from './cost.ts'
import type { Evidence, Patch } from './evidence.ts'
import type { Failure } from './failure.ts'

/** What came of letting a model work. */
export type GenerateOutcome =
  | {
      kind: 'candidate'
      output: Readonly<Record<string, unknown>>
      evidence: Evidence
      patch: Patch | null
      /** The task as the model saw it, for the verifier, which may run where the project cannot be read. */
      task: string
    }
  /** The evidence speaks against it; no verifier is asked. */
  | {
      kind: 'refuted'
      reasons: readonly string[]
      evidence: Evidence
      output: Readonly<Record<string, unknown>> | null
    }
  | {
      kind: 'failed'
      failure: Failure
      message: string
      retryAfterMs?: number
      evidence?: Evidence
    }
  /** The caller's input cannot be worked on by any model (a missing file, a path outside the roots). */
  | { kind: 'bad_input'; message: string }

/** What came of letting a model judge. */
export type VerifyOutcome =
  | { kind: 'accepted'; feedback: string }
  | { kind: 'rejected'; feedback: string }
  | { kind: 'failed'; failure: Failure; message: string; retryAfterMs?: number }

/** What became of an accepted patch in the caller's own tree. */
export interface Applied {
  applied: boolean
  /** Why not, when it was not applied. */
  reason: string | null
}

/**
 * The work of a step, of one of three kinds: a model works, a model judges, or an accepted patch goes into the caller's
 * tree (done by the pool that made it, which can see the tree).
 */
export type Work =
  | {
      kind: 'generate'
      outcome: GenerateOutcome
      usage: Usage
      /** The id of the project's state it began from, once one was frozen: every attempt begins from the same. */
      baseTree?: string
    }
  | { kind: 'verify'; outcome: VerifyOutcome; usage: Usage }
  | { kind: 'apply'; outcome: Applied; usage: Usage }

export interface StepFacts {
  model: string
  startedAtMs: number
  finishedAtMs: number
  /** Whether the model was in memory before the call; false when nobody answered in time, true where it cannot matter. */
  warmStart: boolean
  /** How long the server loaded the model for it; absent where it does not tell. */
  loadMs?: number
  /** The worker that did it, for people who look for a sick machine. */
  worker: string
  /** Absent where no model was asked, and where nobody is left to tell. */
  cost?: Cost
}

/** One committed piece of queue work. A job's record is the list of its steps, oldest first. */
export type Step = Work & StepFacts
export type GenerateStep = Extract<Work, { kind: 'generate' }> & StepFacts
export type VerifyStep = Extract<Work, { kind: 'verify' }> & StepFacts
export type ApplyStep = Extract<Work, { kind: 'apply' }> & StepFacts

/** The work of a step that could not be done at all. */
export function failedWork(kind: Work['kind'], failure: Failure, message: string): Work {
  if (kind === 'apply')
    return { kind, outcome: { applied: false, reason: message }, usage: NO_USAGE }
  return { kind, outcome: { kind: 'failed', failure, message }, usage: NO_USAGE }
}

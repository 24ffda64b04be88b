import type { Usage } from './chat.ts'
import type { Evidence, Patch } from './evidence.ts'
import type { Failure } from './failure.ts'

/** What came of letting a model work. */
export type GenerateOutcome =
  | {
      kind: 'candidate'
      output: Readonly<Record<string, unknown>>
      evidence: Evidence
      patch: Patch | null
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

interface StepFacts {
  model: string
  startedAtMs: number
  finishedAtMs: number
  usage: Usage
  /** The worker that did it, for people who look for a sick machine. */
  worker: string
}

export interface GenerateStep extends StepFacts {
  kind: 'generate'
  /** Whether the model was in memory before the call; false when nobody answered in time. */
  warmStart: boolean
  outcome: GenerateOutcome
}

export interface VerifyStep extends StepFacts {
  kind: 'verify'
  outcome: VerifyOutcome
}

/** What became of an accepted patch in the caller's own tree. */
export interface Applied {
  applied: boolean
  /** Why not, when it was not applied. */
  reason: string | null
}

/** Puts an accepted patch into the caller's tree; done by the pool that made it, which can see the tree. */
export interface ApplyStep extends StepFacts {
  kind: 'apply'
  outcome: Applied
}

/** One committed piece of queue work. A job's record is the list of its steps, oldest first. */
export type Step = GenerateStep | VerifyStep | ApplyStep

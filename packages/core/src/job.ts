import type { Patience } from './after-failure.ts'
import type { Delivery, VerifyMode } from './skill.ts'

/** Raised when the shape of a job record changes; readers accept this and the previous one. */
export const JOB_VERSION = 2

/** Everything about a job that is fixed when it is submitted. */
export interface Job {
  /** Stands first in the record as well. */
  version: number
  id: string
  /** The skill's tool name, such as `tdd_red`. */
  tool: string
  /** The names in the session log: the family (`tdd`) and its phase (`red`). */
  skill: string
  phase: string
  input: Readonly<Record<string, unknown>>
  /** Models to try, cheapest first. */
  chain: readonly string[]
  verifier: string
  /** The model that its savings are estimated against. */
  baseline?: string
  /** The caller named the model: one attempt, no verifier. */
  pinned: boolean
  verify: VerifyMode
  /** What becomes of an accepted result besides the answer. */
  delivers: Delivery
  /** Whether an accepted patch goes into the caller's own tree. */
  apply: boolean
  principal: string
  /** Equal for calls that ask for the same, from the same principal; absent in jobs of before there was one. */
  callKey?: string
  /** The caller named the call: it is joined even when it is done. */
  named?: boolean
  sessionId: string
  /** The session's earlier entries as text, oldest first; empty without a session. */
  history: string
  /** Other material a skill reads: the session log, notes of the brain. */
  material: string
  submittedAtMs: number
  deadlineAtMs: number
  /** How long an attempt may wait for its own model; a default where the record says nothing. */
  patience?: Patience
  /** What models of the chain hold at once, as far as that is known. */
  contextTokens?: Readonly<Record<string, number>>
}

/** A step in a job's life that somebody watching wants to see. */
export type JobEvent =
  | {
      kind: 'generating'
      model: string
      attempt: number
      of: number
      tier: string
      warmStart: boolean
    }
  | { kind: 'verifying' | 'applying'; model: string; attempt: number; of: number }
  | {
      kind: 'judged'
      attempt: number
      of: number
      model: string
      tier: string
      warmStart: boolean
      durationMs: number
      verdict: string
      feedback: string
    }
  | { kind: 'waiting'; model: string; waitMs: number; reason: string }
  | { kind: 'done' }

import { type FailedCall, waitsAfter } from './after-failure.ts'
import { isProof } from './checks.ts'
import { type Evidence, NO_EVIDENCE, type Patch } from './evidence.ts'
import type { Job } from './job.ts'
import { type Tier, tierOf } from './model.ts'
import { type AttemptSpending, attemptSpending } from './spending.ts'
import type {
  ApplyStep,
  GenerateOutcome,
  GenerateStep,
  Step,
  VerifyOutcome,
  VerifyStep,
} from './step.ts'

export type Verdict = 'accept' | 'escalate' | 'error'

/** One model's try at a job, from its first token to its verdict; the unit of the log. Names as the log spells them. */
export interface Attempt extends AttemptSpending {
  /** Counted from 1. */
  attempt: number
  model: string
  tier: Tier
  duration_ms: number
  warm_start: boolean
  /** How long the server loaded the model; null where it does not tell. */
  load_ms: number | null
  /** An exit code proved it; never what a model says of itself. */
  verified: boolean
  verdict: Verdict
  feedback: string
  output_summary: string
  runner_output: string
}

/** An attempt as far as it got: a candidate may still be waiting for its verdict. */
export interface Try {
  generate: GenerateStep
  verify: VerifyStep | null
  apply: ApplyStep | null
  /** Calls of this model or of its verifier that failed and were made again after a wait, oldest first. */
  failedBefore: (GenerateStep | VerifyStep)[]
}

/**
 * Groups a job's steps into tries: a generate step and the verify and apply steps that followed it, if any. A model has
 * one try at a job, so a generate or verify step that comes again took the place of one that failed.
 */
export function triesOf(steps: readonly Step[]): Try[] {
  const tries: Try[] = []
  for (const step of steps) {
    const last = tries.at(-1)
    if (step.kind === 'apply') last!.apply = step
    else if (step.kind === 'verify') {
      if (last!.verify) last!.failedBefore.push(last!.verify)
      last!.verify = step
    } else if (last?.generate.model === step.model) {
      last.failedBefore.push(last.generate)
      last.generate = step
    } else tries.push({ generate: step, verify: null, apply: null, failedBefore: [] })
  }
  return tries
}

/** Every generate step of a try, the failed ones included. */
export function generationsOf({ failedBefore, generate }: Try): GenerateStep[] {
  return [...failedBefore.filter((step) => step.kind === 'generate'), generate]
}

/** Every verify step of a try, the failed ones included. */
export function verificationsOf({ failedBefore, verify }: Try): VerifyStep[] {
  return [...failedBefore.filter((step) => step.kind === 'verify'), ...(verify ? [verify] : [])]
}

/** The calls of a try that were made again after a wait; with the newest of all, if that failed too. */
export function failedCallsOf(one: Try): FailedCall[] {
  const newest = one.verify ?? one.generate
  return [...one.failedBefore, newest].flatMap(({ outcome, finishedAtMs }) =>
    outcome.kind === 'failed' ? [{ ...outcome, finishedAtMs }] : [],
  )
}

const SUMMARY_CHARS = 500
const RUNNER_OUTPUT_CHARS = 8000

/** The log line of one finished try. `accepted` is decided by the policy, not by the try alone. */
export function attemptOf(job: Job, one: Try, number: number, accepted: boolean): Attempt {
  const { generate, verify } = one
  const generations = generationsOf(one)
  const evidence = evidenceOf(generate.outcome)
  return {
    attempt: number,
    model: generate.model,
    tier: tierOf(generate.model),
    duration_ms: Math.round((verify ?? generate).finishedAtMs - generations[0]!.startedAtMs),
    warm_start: generate.warmStart,
    load_ms: generate.loadMs ?? null,
    verified: isVerified(generate.outcome),
    verdict: accepted ? 'accept' : verdictOf(one),
    feedback: waitsOf(job, one) + feedbackOf(one),
    output_summary: summaryOf(generate.outcome),
    runner_output: (evidence.after ?? evidence.before)?.output.slice(-RUNNER_OUTPUT_CHARS) ?? '',
    ...attemptSpending(generations, verificationsOf(one)),
  }
}

/** What a try that was not accepted tells the next one; empty when it has nothing to teach. */
export function lessonOf(one: Try): string {
  if (one.verify) return feedbackOfVerify(one.verify.outcome)
  return one.generate.outcome.kind === 'refuted' ? feedbackOfGenerate(one.generate.outcome) : ''
}

export function evidenceOf(outcome: GenerateOutcome): Evidence {
  return 'evidence' in outcome && outcome.evidence ? outcome.evidence : NO_EVIDENCE
}

export function patchOf(outcome: GenerateOutcome): Patch | null {
  return outcome.kind === 'candidate' ? outcome.patch : null
}

/** Tests ran and were found to prove the work; a skill may leave that to a model, and then nothing is proved. */
function isVerified(outcome: GenerateOutcome): boolean {
  if (outcome.kind !== 'candidate' || outcome.evidence.after === null) return false
  return outcome.evidence.checks.some(({ check }) => isProof(check))
}

function verdictOf({ generate, verify }: Try): Verdict {
  const { kind } = generate.outcome
  if (kind === 'failed' || kind === 'bad_input') return 'error'
  return verify?.outcome.kind === 'failed' && verify.outcome.failure === 'cancelled'
    ? 'error'
    : 'escalate'
}

function feedbackOf({ generate, verify }: Try): string {
  return verify ? feedbackOfVerify(verify.outcome) : feedbackOfGenerate(generate.outcome)
}

/** What an attempt waited for, in words before its feedback; empty when it did not wait. */
function waitsOf(job: Job, one: Try): string {
  const waits = waitsAfter(job, failedCallsOf(one)).slice(0, one.failedBefore.length)
  return waits
    .map((ms, index) => {
      const { kind, outcome } = one.failedBefore[index]!
      const why = outcome.kind === 'failed' ? outcome.failure : outcome.kind
      const whom = kind === 'verify' ? ' for the verifier' : ''
      return `waited ${Math.round(ms / 100) / 10} s${whom} (${why}); `
    })
    .join('')
}

function feedbackOfGenerate(outcome: GenerateOutcome): string {
  switch (outcome.kind) {
    case 'candidate':
      return ''
    case 'refuted':
      return outcome.reasons.join('; ')
    case 'failed':
      return `${outcome.failure}: ${outcome.message}`
    case 'bad_input':
      return outcome.message
  }
}

function feedbackOfVerify(outcome: VerifyOutcome): string {
  if (outcome.kind !== 'failed') return outcome.feedback
  return `the verifier gave no verdict (${outcome.failure}: ${outcome.message})`
}

function summaryOf(outcome: GenerateOutcome): string {
  if (!('output' in outcome) || outcome.output === null) return ''
  const message = outcome.output.message
  const text = typeof message === 'string' ? message : JSON.stringify(outcome.output)
  return text.length > SUMMARY_CHARS ? `${text.slice(0, SUMMARY_CHARS - 1)}…` : text
}

import { AFTER_FAILURE, retryAtMs } from './after-failure.ts'
import {
  type Attempt,
  attemptOf,
  failedCallsOf,
  lessonOf,
  patchOf,
  type Try,
  triesOf,
} from './attempt.ts'
import type { Failure } from './failure.ts'
import type { Job } from './job.ts'
import { tierOf } from './model.ts'
import type { GenerateOutcome, Step, VerifyOutcome } from './step.ts'

/** Work for a model: to try the job, or to judge what another one made of it. */
export type ModelWork =
  | { do: 'generate'; model: string; attempt: number; feedback: string }
  | { do: 'verify'; model: string; attempt: number; candidate: Try }

/** The next thing to do for a job. */
export type Decision =
  | ModelWork
  | { do: 'apply'; model: string; attempt: number; candidate: Try }
  /** The work may not begin before its time. */
  | { do: 'wait'; untilMs: number; reason: Failure; work: ModelWork }
  | { do: 'finish'; end: Ending }

export type Ending =
  | { kind: 'accepted'; by: Try }
  | { kind: 'chain_exhausted' }
  | { kind: 'bad_input'; message: string }
  | { kind: 'past_deadline' }
  | { kind: 'cancelled' }

/** What each outcome leads to. A new outcome does not compile before it has a row here. */
const AFTER_GENERATE = {
  candidate: 'judge',
  refuted: 'escalate',
  failed: 'repeat',
  bad_input: 'refuse',
} as const satisfies Record<GenerateOutcome['kind'], 'judge' | 'escalate' | 'repeat' | 'refuse'>

const AFTER_VERIFY = {
  accepted: 'accept',
  rejected: 'escalate',
  failed: 'repeat',
} as const satisfies Record<VerifyOutcome['kind'], 'accept' | 'escalate' | 'repeat'>

/**
 * The whole policy: from what is recorded of a job to the next thing to do.
 * One attempt per model in the chain's order; a model that is only busy is waited for, within limits; local candidates
 * are judged by the verifier unless the caller pinned the model or the skill trusts its evidence alone; what the last
 * rejection taught goes into the next attempt.
 * @param nowMs the caller's clock, milliseconds since the epoch
 */
export function decide(job: Job, steps: readonly Step[], nowMs: number): Decision {
  const tries = triesOf(steps)
  const last = tries.at(-1)
  const settled = last ? settle(job, last) : 'escalate'
  if (last && settled === 'accept') {
    return mustApply(job, last)
      ? { do: 'apply', model: last.generate.model, attempt: tries.length, candidate: last }
      : { do: 'finish', end: { kind: 'accepted', by: last } }
  }
  if (last?.generate.outcome.kind === 'bad_input') {
    return { do: 'finish', end: { kind: 'bad_input', message: last.generate.outcome.message } }
  }
  if (nowMs >= job.deadlineAtMs) return { do: 'finish', end: { kind: 'past_deadline' } }
  if (last && settled === 'verify') return verifyOf(job, last, tries.length)
  if (last && settled === 'repeat') return repeat(job, tries, nowMs)
  const model = modelAfter(job, last)
  if (model === undefined) return { do: 'finish', end: { kind: 'chain_exhausted' } }
  return { do: 'generate', model, attempt: tries.length + 1, feedback: lastLessonOf(tries) }
}

/** The attempts as the log knows them; one that waits for its verdict, or to be made again, is not one yet. */
export function attemptsOf(job: Job, steps: readonly Step[]): Attempt[] {
  return triesOf(steps).flatMap((one, index) => {
    const settled = settle(job, one)
    // Input that nobody can work on is refused before the model is asked: it says nothing about the model.
    return settled === 'accept' || settled === 'escalate'
      ? [attemptOf(job, one, index + 1, settled === 'accept')]
      : []
  })
}

/** The call that failed, once more: now, or when its time has come. */
function repeat(job: Job, tries: readonly Try[], nowMs: number): Decision {
  const last = tries.at(-1)!
  const failed = failedCallsOf(last)
  const { failure } = failed.at(-1)!
  const untilMs = retryAtMs(job, failed)!
  const feedback = lastLessonOf(tries.slice(0, -1))
  const work: ModelWork = last.verify
    ? verifyOf(job, last, tries.length)
    : { do: 'generate', model: last.generate.model, attempt: tries.length, feedback }
  return nowMs < untilMs ? { do: 'wait', untilMs, reason: failure, work } : work
}

function verifyOf(job: Job, candidate: Try, attempt: number): ModelWork {
  return { do: 'verify', model: job.verifier, attempt, candidate }
}

/** The model that comes after a try; a conversation that was too long skips those known to hold no more. */
function modelAfter(job: Job, last: Try | undefined): string | undefined {
  if (!last) return job.chain[0]
  const { model, outcome } = last.generate
  const later = job.chain.slice(job.chain.lastIndexOf(model) + 1)
  if (outcome.kind !== 'failed' || AFTER_FAILURE[outcome.failure] !== 'larger') return later[0]
  const { contextTokens = {} } = job
  const held = contextTokens[model] ?? 0
  return later.find((one) => (contextTokens[one] ?? Number.POSITIVE_INFINITY) > held)
}

/** An attempt that failed teaches nothing, and may not even have read what the one before taught. */
function lastLessonOf(tries: readonly Try[]): string {
  return tries.map(lessonOf).findLast((lesson) => lesson !== '') ?? ''
}

function settle(job: Job, one: Try): 'accept' | 'verify' | 'escalate' | 'repeat' | 'refuse' {
  const after = one.verify
    ? AFTER_VERIFY[one.verify.outcome.kind]
    : AFTER_GENERATE[one.generate.outcome.kind]
  if (after === 'judge') return needsVerifier(job, one.generate.model) ? 'verify' : 'accept'
  if (after === 'repeat') return isRepeatable(job, one) ? 'repeat' : 'escalate'
  return after
}

/** Whether the call of a try that failed is made again instead of asking the next model. */
function isRepeatable(job: Job, one: Try): boolean {
  const failed = failedCallsOf(one)
  const { failure, retryAfterMs } = failed.at(-1)!
  const after = AFTER_FAILURE[failure]
  const isLast = modelAfter(job, one) === undefined
  const isWaitedFor =
    after === 'wait' || (after === 'next_or_wait' && isLast && retryAfterMs !== undefined)
  return isWaitedFor && retryAtMs(job, failed) !== null
}

function mustApply(job: Job, one: Try): boolean {
  return job.apply && one.apply === null && patchOf(one.generate.outcome) !== null
}

function needsVerifier(job: Job, model: string): boolean {
  return tierOf(model) === 'local' && !job.pinned && job.verify !== 'evidence'
}

import { type Attempt, attemptOf, lessonOf, patchOf, type Try, triesOf } from './attempt.ts'
import type { Job } from './job.ts'
import { tierOf } from './model.ts'
import type { GenerateOutcome, Step, VerifyOutcome } from './step.ts'

/** The next thing to do for a job. */
export type Decision =
  | { do: 'generate'; model: string; attempt: number; feedback: string }
  | { do: 'verify'; model: string; attempt: number; candidate: Try }
  | { do: 'apply'; model: string; attempt: number; candidate: Try }
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
  failed: 'escalate',
  bad_input: 'refuse',
} as const satisfies Record<GenerateOutcome['kind'], 'judge' | 'escalate' | 'refuse'>

const AFTER_VERIFY = {
  accepted: 'accept',
  rejected: 'escalate',
  failed: 'escalate',
} as const satisfies Record<VerifyOutcome['kind'], 'accept' | 'escalate'>

/**
 * The whole policy: from what is recorded of a job to the next thing to do.
 * One attempt per model in the chain's order; local candidates are judged by the verifier unless the caller pinned
 * the model or the skill trusts its evidence alone; what the last rejection taught goes into the next attempt.
 * @param nowMs the caller's clock, milliseconds since the epoch
 */
export function decide(job: Job, steps: readonly Step[], nowMs: number): Decision {
  const tries = triesOf(steps)
  const last = tries.at(-1)
  if (last) {
    const settled = settle(job, last)
    if (settled === 'accept') {
      return mustApply(job, last)
        ? { do: 'apply', model: last.generate.model, attempt: tries.length, candidate: last }
        : { do: 'finish', end: { kind: 'accepted', by: last } }
    }
    if (last.generate.outcome.kind === 'bad_input') {
      return { do: 'finish', end: { kind: 'bad_input', message: last.generate.outcome.message } }
    }
    if (nowMs >= job.deadlineAtMs) return { do: 'finish', end: { kind: 'past_deadline' } }
    if (settled === 'verify') {
      return { do: 'verify', model: job.verifier, attempt: tries.length, candidate: last }
    }
  }
  if (nowMs >= job.deadlineAtMs) return { do: 'finish', end: { kind: 'past_deadline' } }
  const model = job.chain[tries.length]
  if (model === undefined) return { do: 'finish', end: { kind: 'chain_exhausted' } }
  return { do: 'generate', model, attempt: tries.length + 1, feedback: lastLessonOf(tries) }
}

/** An attempt that failed teaches nothing, and may not even have read what the one before taught. */
function lastLessonOf(tries: readonly Try[]): string {
  return tries.map(lessonOf).findLast((lesson) => lesson !== '') ?? ''
}

/** The attempts as the log knows them; a candidate still waiting for its verdict is not one yet. */
export function attemptsOf(job: Job, steps: readonly Step[]): Attempt[] {
  return triesOf(steps).flatMap((one, index) => {
    const settled = settle(job, one)
    return settled === 'verify' ? [] : [attemptOf(one, index + 1, settled === 'accept')]
  })
}

function settle(job: Job, one: Try): 'accept' | 'verify' | 'escalate' | 'refuse' {
  if (one.verify) return AFTER_VERIFY[one.verify.outcome.kind]
  const after = AFTER_GENERATE[one.generate.outcome.kind]
  if (after !== 'judge') return after
  return needsVerifier(job, one.generate.model) ? 'verify' : 'accept'
}

function mustApply(job: Job, one: Try): boolean {
  return job.apply && one.apply === null && patchOf(one.generate.outcome) !== null
}

function needsVerifier(job: Job, model: string): boolean {
  return tierOf(model) === 'local' && !job.pinned && job.verify !== 'evidence'
}

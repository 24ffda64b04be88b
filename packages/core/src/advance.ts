import type { Attempt } from './attempt.ts'
import { attemptsOf, type Decision, decide } from './decide.ts'
import type { Job, JobEvent } from './job.ts'
import { applyQueueOf, poolOf, queueOf } from './model.ts'
import type { NoteDraft } from './note.ts'
import { entryOf, type JobResult, resultOf, type SessionEntry } from './result.ts'
import type { Step } from './step.ts'

/** A piece of queue work: which step of which job, and for whom. */
export interface StepRef {
  jobId: string
  /** The number of steps recorded before it; with the job id it names the step for ever. */
  step: number
  kind: Step['kind']
  model: string
  /** The attempt it belongs to, from 1, of as many as the chain allows. */
  attempt: number
  of: number
  /** Milliseconds since the epoch; at once when absent. */
  notBeforeMs?: number
}

/** A deterministic queue id, so that queueing the same step twice is harmless. BullMQ forbids `:` in it. */
export function stepIdOf(step: StepRef): string {
  return `${step.jobId}-${step.step}`
}

export function queueOfStep(step: StepRef): string {
  return step.kind === 'apply' ? applyQueueOf(poolOf(step.model)) : queueOf(step.model)
}

/** Everything that one recorded outcome changes, to be committed together. */
export interface Advance {
  /** The attempt this outcome completed, if it did. */
  attempt: Attempt | null
  decision: Decision
  next: StepRef | null
  end: { result: JobResult; entry: SessionEntry; notes: NoteDraft[] } | null
  events: JobEvent[]
}

/** What follows once `step` stands behind `steps`; with `step` null, what follows from `steps` alone. */
export function advance(
  job: Job,
  steps: readonly Step[],
  step: Step | null,
  nowMs: number,
): Advance {
  const all = step ? [...steps, step] : steps
  const attempts = attemptsOf(job, all)
  const isNew = attempts.length > attemptsOf(job, steps).length
  const attempt = isNew ? (attempts.at(-1) ?? null) : null
  const decision = decide(job, all, nowMs)
  const end = decision.do === 'finish' ? endOf(job, all, decision.end, nowMs) : null
  return {
    attempt,
    decision,
    next: stepAfter(job, all, decision),
    end,
    events: [
      ...(attempt ? [judged(attempt, job.chain.length)] : []),
      ...(step && decision.do === 'wait' ? [waiting(decision, nowMs)] : []),
      ...(end ? [{ kind: 'done' } as const] : []),
    ],
  }
}

/** What ends a job whatever stands in its record: a cancel, for one. */
export function endNow(
  job: Job,
  steps: readonly Step[],
  end: Extract<Decision, { do: 'finish' }>['end'],
  nowMs: number,
): Advance {
  return {
    attempt: null,
    decision: { do: 'finish', end },
    next: null,
    end: endOf(job, steps, end, nowMs),
    events: [{ kind: 'done' }],
  }
}

function endOf(
  job: Job,
  steps: readonly Step[],
  end: Extract<Decision, { do: 'finish' }>['end'],
  nowMs: number,
) {
  const result = resultOf(job, steps, end, nowMs)
  return { result, entry: entryOf(job, result, nowMs), notes: notesOf(job, result) }
}

function stepAfter(job: Job, steps: readonly Step[], decision: Decision): StepRef | null {
  if (decision.do === 'finish') return null
  const work = decision.do === 'wait' ? decision.work : decision
  return {
    jobId: job.id,
    step: steps.length,
    kind: work.do,
    model: work.model,
    attempt: work.attempt,
    of: job.chain.length,
    ...(decision.do === 'wait' ? { notBeforeMs: decision.untilMs } : {}),
  }
}

function waiting(
  { untilMs, reason, work }: Extract<Decision, { do: 'wait' }>,
  nowMs: number,
): JobEvent {
  return { kind: 'waiting', model: work.model, waitMs: untilMs - nowMs, reason }
}

function judged(attempt: Attempt, of: number): JobEvent {
  return {
    kind: 'judged',
    attempt: attempt.attempt,
    of,
    model: attempt.model,
    tier: attempt.tier,
    warmStart: attempt.warm_start,
    durationMs: attempt.duration_ms,
    verdict: attempt.verdict,
    feedback: attempt.feedback,
  }
}

/** The notes an accepted job has for the brain; each has an identity of its own, so that writing it twice is harmless. */
function notesOf(job: Job, { status, output }: JobResult): NoteDraft[] {
  if (job.delivers !== 'notes' || status !== 'pass' || !Array.isArray(output?.notes)) return []
  const notes = output.notes as Omit<NoteDraft, 'source'>[]
  return notes.map((note, index) => ({ ...note, source: `${job.id}#${index + 1}` }))
}

import { advance } from './advance.ts'
import type { Attempt } from './attempt.ts'
import type { Underway } from './cancel.ts'
import { attemptsOf } from './decide.ts'
import { eventText } from './event-text.ts'
import type { Job } from './job.ts'
import type { FinalStatus, JobResult } from './result.ts'

export type JobState = 'queued' | 'running' | 'done'

/** How far a job is, for its caller. Names as clients read them. */
export interface JobStatus {
  job_id: string
  session_id: string
  tool: string
  status: 'running' | FinalStatus
  state: JobState
  /** One line for people. */
  phase: string
  /** The attempt it is at, from 1, of as many as the chain allows. */
  attempt: number
  of: number
  /** How many steps stand before it in its queue, itself included; only while it is queued. */
  queue_position?: number
  /** The attempts that are over. */
  attempts: readonly Attempt[]
  submitted_at: string
  /** When it is ended, whatever it is at. */
  deadline_at: string
}

/** What is kept beside a job for lists, so that a list need not read whole jobs. */
export interface JobHead {
  job_id: string
  tool: string
  session_id: string
  principal: string
  submitted_at: string
}

/** What is kept beside a finished job for lists. */
export interface JobEnd {
  status: FinalStatus
  ended: JobResult['ended']
  message: string
  finished_at: string
}

/** One line of a list of jobs. */
export interface JobSummary extends JobHead {
  status: 'running' | FinalStatus
  state: JobState
  phase: string
  finished_at: string | null
}

interface Recorded {
  job: Job
  steps: Parameters<typeof attemptsOf>[1]
  result: JobResult | null
  underway: Underway | null
}

export function statusOf({ job, steps, result, underway }: Recorded): JobStatus {
  const { next } = advance(job, steps, null, job.submittedAtMs)
  const running = underway?.step === steps.length ? underway : null
  const attempts = result?.attempts ?? attemptsOf(job, steps)
  const state = result ? 'done' : running ? 'running' : 'queued'
  return {
    job_id: job.id,
    session_id: job.sessionId,
    tool: job.tool,
    status: result?.status ?? 'running',
    state,
    phase: result?.message ?? (running ? eventText(running.event) : `queued for ${next?.model}`),
    attempt: result ? attempts.length : (next?.attempt ?? attempts.length),
    of: job.chain.length,
    attempts,
    submitted_at: timeText(job.submittedAtMs),
    deadline_at: timeText(job.deadlineAtMs),
  }
}

export function headOf(job: Job): JobHead {
  return {
    job_id: job.id,
    tool: job.tool,
    session_id: job.sessionId,
    principal: job.principal,
    submitted_at: timeText(job.submittedAtMs),
  }
}

export function endOf({ status, ended, message, duration_ms }: JobResult, job: Job): JobEnd {
  const finished_at = timeText(job.submittedAtMs + duration_ms)
  return { status, ended, message, finished_at }
}

export function summaryOf(
  head: JobHead,
  underway: Underway | null,
  end: JobEnd | null,
): JobSummary {
  return {
    ...head,
    status: end?.status ?? 'running',
    state: end ? 'done' : underway ? 'running' : 'queued',
    phase: end?.message ?? (underway ? eventText(underway.event) : 'queued'),
    finished_at: end?.finished_at ?? null,
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

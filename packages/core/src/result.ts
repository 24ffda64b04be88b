import { type Attempt, evidenceOf, patchOf } from './attempt.ts'
import { attemptsOf, type Ending } from './decide.ts'
import type { Evidence, Patch } from './evidence.ts'
import type { Job } from './job.ts'
import { type Spending, spendingOf } from './spending.ts'
import type { Applied, Step } from './step.ts'

/** `pass`: accepted. `fail`: the pinned model worked and its result did not hold. `error`: nobody's result. */
export type FinalStatus = 'pass' | 'fail' | 'error'

/** What a caller gets. */
export interface JobResult extends Spending {
  job_id: string
  session_id: string
  status: FinalStatus
  /** How the job came to its end. */
  ended: Ending['kind']
  skill: string
  phase: string
  /** Relative to project_root; empty when no file came of it. */
  file_path: string
  runner_output: string
  verified: boolean
  model_used: string
  message: string
  /** The skill's own answer, in the shape its file promises; null unless the job passed. */
  output: Readonly<Record<string, unknown>> | null
  /** The accepted change; null when the skill makes none. */
  patch: (Patch & Applied) | null
  evidence: Evidence | null
  attempts: readonly Attempt[]
  duration_ms: number
}

/** One line of a session's log. */
export interface SessionEntry extends Spending {
  session_id: string
  job_id: string
  /** Who called; absent in lines of before there were principals. */
  principal?: string
  timestamp: string
  skill: string
  phase: string
  project_root: string
  attempts: readonly Attempt[]
  final_status: FinalStatus
  file_path: string
  model_used: string
  duration_ms: number
  message: string
}

/** Why a job that passed has not applied its patch. */
function notApplied({ input }: Job): Applied {
  const isElsewhere = input.repo !== undefined || input.bundle !== undefined
  const reason = isElsewhere
    ? 'there is no tree to apply it to: the project came with the call'
    : 'apply was false'
  return { applied: false, reason }
}

/** The result of a job that has come to its end. */
export function resultOf(job: Job, steps: readonly Step[], end: Ending, nowMs: number): JobResult {
  const attempts = attemptsOf(job, steps)
  const winner = end.kind === 'accepted' ? end.by.generate : null
  const output = winner?.outcome.kind === 'candidate' ? winner.outcome.output : null
  const patch = winner ? patchOf(winner.outcome) : null
  const applied = end.kind === 'accepted' ? end.by.apply?.outcome : undefined
  const last = attempts.at(-1)
  return {
    job_id: job.id,
    session_id: job.sessionId,
    status: statusOf(job, end, last),
    ended: end.kind,
    skill: job.skill,
    phase: job.phase,
    file_path: patch?.files[0]?.path ?? '',
    runner_output: last?.runner_output ?? '',
    verified: winner !== null && last?.verified === true,
    model_used: winner?.model ?? '',
    message: messageOf(job, steps, end, attempts, output),
    output,
    patch: patch && { ...patch, ...(applied ?? notApplied(job)) },
    evidence: winner ? evidenceOf(winner.outcome) : null,
    attempts,
    ...spendingOf(job, steps, winner),
    duration_ms: Math.round(nowMs - job.submittedAtMs),
  }
}

/** The log line of a finished job. */
export function entryOf(job: Job, result: JobResult, nowMs: number): SessionEntry {
  const root = job.input.project_root
  return {
    session_id: job.sessionId,
    job_id: job.id,
    principal: job.principal,
    timestamp: new Date(nowMs).toISOString(),
    skill: job.skill,
    phase: job.phase,
    project_root: typeof root === 'string' ? root : '',
    attempts: result.attempts,
    final_status: result.status,
    file_path: result.file_path,
    model_used: result.model_used,
    duration_ms: result.duration_ms,
    message: result.message,
    usage: result.usage,
    cost_usd: result.cost_usd,
    unpriced_models: result.unpriced_models,
    baseline_model: result.baseline_model,
    saved_usd_estimate: result.saved_usd_estimate,
  }
}

function statusOf(job: Job, end: Ending, last: Attempt | undefined): FinalStatus {
  if (end.kind === 'accepted') return 'pass'
  return end.kind === 'chain_exhausted' && job.pinned && last?.verdict === 'escalate'
    ? 'fail'
    : 'error'
}

function messageOf(
  job: Job,
  steps: readonly Step[],
  end: Ending,
  attempts: readonly Attempt[],
  output: Readonly<Record<string, unknown>> | null,
): string {
  switch (end.kind) {
    case 'accepted':
      return typeof output?.message === 'string'
        ? output.message
        : `${job.tool} accepted from ${end.by.generate.model}`
    case 'chain_exhausted':
      return spentText(job, steps, attempts)
    case 'bad_input':
      return end.message
    case 'past_deadline':
      return `the job passed its deadline; attempts so far: ${attempts.length}; call again, or with a faster model`
    case 'cancelled':
      return 'the job was cancelled'
  }
}

/** All models are spent: which, why, and what the caller can do. */
function spentText(job: Job, steps: readonly Step[], attempts: readonly Attempt[]): string {
  const spent = attempts.length === 1 ? 'the model is' : `all ${attempts.length} models are`
  const trail = attempts.map((a) => `${a.model} (${a.verdict}: ${a.feedback})`).join('; ')
  const hint = job.pinned
    ? 'leave model out to let the chain escalate'
    : 'call again with model set to try one of your choice'
  const isUnjudged = steps.some((step) => step.kind === 'verify' && step.outcome.kind === 'failed')
  const evidence = isUnjudged
    ? `; where tests prove the work, "verify: evidence" for ${job.skill} in models.yaml needs no verifier`
    : ''
  return `${spent} spent: ${trail}; ${hint}${evidence}`
}

import { advance } from '@hyperguild/core/advance.ts'
import { splitInput } from '@hyperguild/core/call-inputs.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Job, JobEvent } from '@hyperguild/core/job.ts'
import { type JobStatus, type JobSummary, statusOf } from '@hyperguild/core/job-status.ts'
import { isOperator, maySee, type Principal, type Scope } from '@hyperguild/core/principal.ts'
import type { JobResult, SessionEntry } from '@hyperguild/core/result.ts'
import { cancelJob } from '@hyperguild/io/queue/cancel-job.ts'
import type { Listening } from '@hyperguild/io/queue/inbox.ts'
import type { Wanted } from '@hyperguild/io/queue/quota.ts'
import type { JobRecord } from '@hyperguild/io/queue/read-records.ts'
import { redisTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import { callKeyOf } from './call-key.ts'
import type { GatewayDeps } from './deps.ts'
import { lookupFor } from './lookups.ts'
import { entriesFor } from './sessions.ts'
import { chainOf, requireSkill, submitJob } from './submit-job.ts'

/** A call as it arrives: a skill's name and what its caller gave. */
export interface Asked {
  skill: string
  input: Readonly<Record<string, unknown>>
}

/** A job that somebody waits for. Whoever holds it must call `listening.stop()` in the end. */
export interface Followed {
  job: Job
  listening: Listening
}

export interface Submitted extends Followed {
  /** An earlier call had asked for the same. */
  joined: boolean
  /** How long the caller wants to wait, if they said. */
  waitSeconds: number | undefined
}

type OnEvent = (event: JobEvent) => void
const NOTHING: OnEvent = () => {}

/** Whether this principal may do what a scope names; operators may do everything. */
export function holds(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) || isOperator(principal)
}

/**
 * Has a skill done as a job: a new one, or the open one that an equal call of the same principal started.
 * @throws {RequestError} when the call is not allowed or not valid
 */
export async function submit(
  deps: GatewayDeps,
  principal: Principal,
  asked: Asked,
  onEvent: OnEvent = NOTHING,
): Promise<Submitted> {
  requireScope(principal, 'call')
  const skill = requireSkill(deps, asked)
  const { input, waitSeconds, requestId } = splitInput(asked.input)
  const key = callKeyOf({ principal: principal.name, tool: skill.name, input, requestId })
  const call = { skill: skill.name, input, principal: principal.name }
  await admit(deps, { principal: principal.name, model: chainOf(deps, skill, input)[0]! }, key)
  const identity = { callKey: key, named: requestId !== undefined }
  return { ...(await submitJob(deps, skill, { ...call, identity }, onEvent)), waitSeconds }
}

/** Whoever joins an open job starts none. */
async function admit(deps: GatewayDeps, wanted: Wanted, callKey: string): Promise<void> {
  const { intake, store } = deps
  await intake.admit(wanted).catch(async (refusal: unknown) => {
    const canJoin = refusal instanceof RequestError && intake.redis().isUsable
    if (!canJoin || !(await store.isOpenCall(callKey))) throw refusal
  })
}

/** Answers a skill of kind `lookup`. @throws {RequestError} when the call is not allowed or not valid */
export function lookUp(
  deps: GatewayDeps,
  principal: Principal,
  asked: Asked,
): Promise<Readonly<Record<string, unknown>>> {
  const skill = requireSkill(deps, asked)
  if (!(skill.read_only && holds(principal, 'read'))) requireScope(principal, 'call')
  return lookupFor(skill)(deps, asked.input, principal)
}

/** Joins those who wait for a job. @throws {RequestError} when there is no such job for this principal */
export async function follow(
  deps: GatewayDeps,
  principal: Principal,
  jobId: string,
  onEvent: OnEvent = NOTHING,
): Promise<Followed> {
  const { job } = await readJob(deps, principal, jobId)
  return { job, listening: deps.inbox.follow(jobId, onEvent) }
}

/**
 * Waits for a job's result; with how far it is instead, when the time is over first.
 * @throws {RequestError} when there is no such job for this principal
 */
export async function wait(
  deps: GatewayDeps,
  principal: Principal,
  jobId: string,
  options: { timeoutMs: number; signal: AbortSignal; onEvent?: OnEvent },
): Promise<{ result: JobResult } | { status: JobStatus }> {
  const { listening } = await follow(deps, principal, jobId, options.onEvent)
  try {
    const result = await resultWithin(listening.result, options.timeoutMs, options.signal)
    return result ? { result } : { status: await status(deps, principal, jobId) }
  } finally {
    listening.stop()
  }
}

/** The result, or null when the time is over or the signal aborted first. */
export async function resultWithin(
  result: Promise<JobResult>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<JobResult | null> {
  const { promise: over, resolve } = Promise.withResolvers<null>()
  const end = () => resolve(null)
  const timer = setTimeout(end, timeoutMs)
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    return await Promise.race([result, over])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}

/** How far a job is. Asking counts as still wanting it. @throws {RequestError} when there is no such job for this principal */
export async function status(
  deps: GatewayDeps,
  principal: Principal,
  jobId: string,
): Promise<JobStatus> {
  const record = await readJob(deps, principal, jobId)
  const found = statusOf(record)
  if (found.state === 'done') return found
  await deps.store.see(jobId)
  if (found.state === 'running') return found
  const { next } = advance(record.job, record.steps, null, record.job.submittedAtMs)
  const place = next && (await deps.queue.placeOf(next))
  return place === null ? found : { ...found, queue_position: place }
}

/** As `status`, for a caller who has been told nothing of its job yet: it gets at least the job's id while Redis is away. */
export async function statusOrId(
  deps: GatewayDeps,
  principal: Principal,
  job: Job,
): Promise<JobStatus> {
  try {
    return await status(deps, principal, job.id)
  } catch (error) {
    const trouble = redisTrouble(error)
    if (trouble === null) throw error
    const known = statusOf({ job, steps: [], result: null, underway: null })
    return { ...known, phase: `Redis does not say how far the job is: ${trouble}` }
  }
}

/** Everything recorded of a job. @throws {RequestError} when there is no such job for this principal */
export async function readJob(
  deps: Pick<GatewayDeps, 'store'>,
  principal: Principal,
  jobId: string,
): Promise<JobRecord> {
  requireReading(principal)
  const record = await deps.store.read(jobId)
  // Whether somebody else has such a job is nobody's business.
  if (!record || !maySee(principal, record.job.principal)) {
    throw new RequestError(
      'not_found',
      `there is no job "${jobId}" of yours; the time for which results are kept may be over`,
    )
  }
  return record
}

/**
 * Ends a job that is not done yet, with the status `error`; one that is done stays as it ended.
 * @throws {RequestError} when there is no such job for this principal
 */
export async function cancel(
  deps: GatewayDeps,
  principal: Principal,
  jobId: string,
): Promise<{ cancelled: boolean; status: JobStatus }> {
  requireScope(principal, 'call')
  await readJob(deps, principal, jobId)
  const reply = await cancelJob(deps, jobId)
  if (reply === 'cancelled') deps.log.info({ job: jobId, by: principal.name }, 'job_cancelled')
  return { cancelled: reply === 'cancelled', status: await status(deps, principal, jobId) }
}

/** The latest jobs, newest first: the principal's own, or everybody's for an operator who asks for them. */
export async function list(
  deps: Pick<GatewayDeps, 'store'>,
  principal: Principal,
  options: { limit: number; beforeMs?: number; everybody?: boolean },
): Promise<JobSummary[]> {
  requireReading(principal)
  const { everybody = false, ...rest } = options
  if (everybody) requireScope(principal, 'operate')
  return deps.store.list({ ...rest, principal: everybody ? null : principal.name })
}

/** The entries of a session that this principal may see, oldest first. @throws {RequestError} for an impossible id */
export async function readSession(
  deps: Pick<GatewayDeps, 'store' | 'sessionsDir'>,
  principal: Principal,
  sessionId: string,
): Promise<SessionEntry[]> {
  requireReading(principal)
  return entriesFor(deps, principal, sessionId)
}

function requireReading(principal: Principal): void {
  if (!holds(principal, 'call')) requireScope(principal, 'read')
}

/** @throws {RequestError} when the principal may not do what the scope names */
export function requireScope(principal: Principal, scope: Scope): void {
  if (holds(principal, scope)) return
  throw new RequestError('forbidden', `this needs a token with the scope "${scope}"`)
}

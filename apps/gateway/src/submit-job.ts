import { randomUUID } from 'node:crypto'
import { advance } from '@hyperguild/core/advance.ts'
import { callInputOf } from '@hyperguild/core/call-inputs.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import { historyText } from '@hyperguild/core/history.ts'
import { JOB_VERSION, type Job, type JobEvent } from '@hyperguild/core/job.ts'
import { validate, zodFrom } from '@hyperguild/core/json-schema.ts'
import { baselineFor, chainFor, verifyModeFor } from '@hyperguild/core/models-config.ts'
import { notesAsMaterial } from '@hyperguild/core/note.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { within } from '@hyperguild/io/process/within.ts'
import { JobGone, type Listening } from '@hyperguild/io/queue/inbox.ts'
import { queueStep } from '@hyperguild/io/queue/record-step.ts'
import { redisTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import type { GatewayDeps } from './deps.ts'
import { ownEntries } from './sessions.ts'

/** The sweeper's first look at a new job: soon, because the gateway may die before it queues the first step. */
const FIRST_LOOK_MS = 5_000

/** Longer is not waited for the queue: the sweeper does what it did not do. */
const QUEUE_MS = 900

/** The inputs that say what a task is about. */
const TASK_TEXTS = ['spec', 'error', 'requirements', 'context']
const NOTES_OFFERED = 3
/** A note that shares fewer words with the task is there by chance. */
const MATCHED_WORDS = 3

export interface Call {
  skill: string
  input: Readonly<Record<string, unknown>>
  principal: string
  /** What makes an equal call join this one's job instead of starting another. */
  identity?: Pick<Required<Job>, 'callKey' | 'named'>
}

/** @throws {RequestError} when there is no such skill, or the input does not match its schema */
export function requireSkill(
  deps: Pick<GatewayDeps, 'skills'>,
  call: Pick<Call, 'skill' | 'input'>,
): Skill {
  const skill = deps.skills.get(call.skill)
  if (!skill || skill.kind === 'stage') {
    const names = [...deps.skills.values()].filter((s) => s.kind !== 'stage').map((s) => s.name)
    throw new RequestError(
      'unknown_skill',
      `there is no skill "${call.skill}"; there are ${names.join(', ')}`,
    )
  }
  const valid = validate(zodFrom(callInputOf(skill)), call.input)
  if (!valid.ok) {
    throw new RequestError('invalid_argument', `${skill.name}: ${valid.problems.join('; ')}`)
  }
  return skill
}

/**
 * Records a job and queues its first step. When this resolves the job will be done, or ended with a reason, whatever
 * dies; `listening` hears of it. An equal call whose job is open is joined.
 */
export async function submitJob(
  deps: GatewayDeps,
  skill: Skill,
  call: Call,
  onEvent: (event: JobEvent) => void,
): Promise<{ job: Job; listening: Listening; joined: boolean }> {
  const job = await jobFrom(deps, skill, call)
  requireFitting(job, deps.jobBytes)
  const listening = deps.inbox.listen(job.id, onEvent)
  try {
    const firstLookMs = deps.now() + Math.min(FIRST_LOOK_MS, deps.unservedMs)
    const jobId = await deps.store.submit(job, deps.inbox.gatewayId, firstLookMs)
    const safe = deps.intake.safe()
    if (jobId !== job.id) {
      listening.stop()
      const [joined] = await Promise.all([joinJob(deps, jobId, onEvent), safe])
      return joined
    }
    // Work begins while the disk confirms; only the caller is told nothing before.
    await Promise.all([queueFirst(deps, job), safe])
  } catch (error) {
    listening.stop()
    throw error
  }
  deps.log.info({ job: job.id, skill: job.tool, chain: job.chain }, 'job_submitted')
  return { job, listening, joined: false }
}

/** The job is recorded by now: where its first step cannot be queued, the sweeper does it. */
async function queueFirst(deps: GatewayDeps, job: Job): Promise<void> {
  const { next } = advance(job, [], null, deps.now())
  if (!next) return
  const queued = queueStep(deps, job, [], next).catch((error: unknown) => {
    if (redisTrouble(error) === null) throw error
    deps.log.warn({ job: job.id, err: error }, 'first_step_left_to_sweeper')
  })
  await within(QUEUE_MS, queued)
}

async function joinJob(deps: GatewayDeps, jobId: string, onEvent: (event: JobEvent) => void) {
  const record = await deps.store.read(jobId)
  if (!record) throw new JobGone(jobId)
  return { job: record.job, listening: deps.inbox.follow(jobId, onEvent), joined: true }
}

/** The models that a call has tried, cheapest first. @throws {RequestError} when it names one that is not known */
export function chainOf(
  deps: Pick<GatewayDeps, 'models'>,
  skill: Skill,
  input: Call['input'],
): readonly string[] {
  return chainFor(deps.models, skill, pinnedIn(input))
}

function pinnedIn({ model }: Call['input']): string | undefined {
  return typeof model === 'string' ? model : undefined
}

async function jobFrom(deps: GatewayDeps, skill: Skill, call: Call): Promise<Job> {
  const { input, principal, identity } = call
  const chain = chainOf(deps, skill, input)
  const id = randomUUID()
  const sessionId = typeof input.session_id === 'string' ? input.session_id : undefined
  const entries = sessionId === undefined ? [] : await ownEntries(deps, principal, sessionId)
  const readsLog = skill.material.includes('session_log')
  const nowMs = deps.now()
  return {
    version: JOB_VERSION,
    id,
    tool: skill.name,
    skill: skill.family,
    phase: skill.phase,
    input,
    chain,
    verifier: deps.models.verifier,
    baseline: baselineFor(deps.models, chain),
    pinned: pinnedIn(input) !== undefined,
    verify: verifyModeFor(deps.models, skill) ?? skill.verify,
    delivers: skill.delivers,
    apply: input.apply !== false && typeof input.project_root === 'string' && !isRemote(input),
    principal,
    ...identity,
    sessionId: sessionId ?? id,
    history: readsLog ? '' : historyText(entries, skill.phase),
    material: readsLog ? logText(sessionId, entries) : await notesFor(deps, input),
    submittedAtMs: nowMs,
    deadlineAtMs: nowMs + deps.jobSeconds * 1000,
    patience: deps.patience,
    contextTokens: contextsOf(deps, chain),
  }
}

/** @throws {RequestError} when a job holds more than Redis should have to keep */
function requireFitting(job: Job, limitBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(job))
  if (bytes <= limitBytes) return
  const kilobytes = (count: number) => `${Math.ceil(count / 1024)} kB`
  throw new RequestError(
    'invalid_argument',
    `the job holds ${kilobytes(bytes)} with what it was given to read, and ${kilobytes(limitBytes)} is the limit (HYPERGUILD_JOB_KB); send less of it, or begin a new session`,
  )
}

/** What the models of a chain hold at once, where models.yaml says it. */
function contextsOf(deps: GatewayDeps, chain: readonly string[]): Record<string, number> {
  const known = chain.flatMap((model) => {
    const { contextTokens } = deps.settingsOf(model)
    return contextTokens === null ? [] : [[model, contextTokens] as const]
  })
  return Object.fromEntries(known)
}

/** The session's log as material to read. @throws {RequestError} when there is nothing to read */
function logText(sessionId: string | undefined, entries: readonly SessionEntry[]): string {
  if (entries.length > 0) return JSON.stringify(entries, null, 1)
  throw new RequestError('not_found', `session_id: there is no entry of session "${sessionId}" yet`)
}

/** Notes of the brain that fit the task, as material; empty when none does. */
async function notesFor(
  { brain, offersNotes }: GatewayDeps,
  input: Call['input'],
): Promise<string> {
  if (!brain || !offersNotes) return ''
  const words = TASK_TEXTS.map((name) => input[name]).filter((text) => typeof text === 'string')
  const hits = await brain.query(words.join('\n'), NOTES_OFFERED)
  return notesAsMaterial(hits.filter((hit) => hit.matchedWords >= MATCHED_WORDS))
}

/** A project that is not a directory of ours: there is no tree to change. */
function isRemote(input: Call['input']): boolean {
  return input.repo !== undefined || input.bundle !== undefined
}

import type { Skill } from '@hyperguild/core/skill.ts'
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server'
import { CallerLeft, resultAnswer, runningAnswer, structured } from './mcp-answers.ts'
import { createProgress, type Progress } from './mcp-progress.ts'
import { followsTasks, type McpSession, type ToolAnswer } from './mcp-session.ts'
import { createdTask } from './mcp-tasks.ts'
import { type Followed, follow, lookUp, resultWithin, statusOrId, submit } from './operations.ts'

type Input = Readonly<Record<string, unknown>>

/**
 * Calls a skill. A client that follows tasks gets one; every other is held, with progress, until the job ends or the
 * time it can be expected to wait is over.
 */
export async function callSkill(
  session: McpSession,
  skill: Pick<Skill, 'name' | 'kind'>,
  input: Input,
  ctx: ServerContext,
): Promise<ToolAnswer> {
  const { deps, principal, options } = session
  const asked = { skill: skill.name, input }
  if (skill.kind === 'lookup') return structured(await lookUp(deps, principal, asked))
  const progress = createProgress(ctx, options.holding.heartbeatMs)
  const submitted = await submit(deps, principal, asked, progress.report)
  const { job, joined, waitSeconds } = submitted
  if (followsTasks(ctx)) {
    submitted.listening.stop()
    return createdTask(session, job.id)
  }
  const beginning = `queued: ${job.chain.length} models to try, ${job.chain[0]} first`
  const text = joined ? 'joined the job that the same call started before' : beginning
  return hold(session, submitted, { progress, text, waitSeconds }, ctx)
}

/** Waits for a job that is under way, or is done already. */
export async function waitForJob(
  session: McpSession,
  jobId: string,
  waitSeconds: number | undefined,
  ctx: ServerContext,
): Promise<CallToolResult> {
  const { deps, principal, options } = session
  const progress = createProgress(ctx, options.holding.heartbeatMs)
  const followed = await follow(deps, principal, jobId, progress.report)
  return hold(session, followed, { progress, text: 'waiting for the job', waitSeconds }, ctx)
}

interface Waiting {
  progress: Progress
  /** What the client hears first. */
  text: string
  waitSeconds: number | undefined
}

async function hold(
  session: McpSession,
  { job, listening }: Followed,
  { progress, text, waitSeconds }: Waiting,
  { mcpReq: { signal } }: ServerContext,
): Promise<CallToolResult> {
  const { deps, principal, options } = session
  const { silentMs, progressMs } = options.holding
  const usualMs = progress.isWanted ? progressMs : silentMs
  const waitMs = waitSeconds === undefined ? usualMs : waitSeconds * 1000
  progress.start(text)
  try {
    const result = await resultWithin(listening.result, waitMs, signal)
    if (result) return resultAnswer(result)
  } finally {
    progress.stop()
    listening.stop()
  }
  if (!signal.aborted) return runningAnswer(await statusOrId(deps, principal, job))
  if (session.hangingUpCancels) options.attendance.left(job.id)
  throw new CallerLeft()
}

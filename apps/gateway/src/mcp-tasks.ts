import { RequestError } from '@hyperguild/core/errors.ts'
import { statusOf } from '@hyperguild/core/job-status.ts'
import type { JobRecord } from '@hyperguild/io/queue/read-records.ts'
import { busyOnTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import {
  type CallToolResult,
  type McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  type ServerContext,
} from '@modelcontextprotocol/server'
import * as z from 'zod'
import { busy, internalError, invalidParams, resultAnswer } from './mcp-answers.ts'
import { followsTasks, type McpFixtures, type McpSession, TASKS } from './mcp-session.ts'
import { cancel, readJob, status } from './operations.ts'

// The tasks extension (SEP-2663, io.modelcontextprotocol/tasks) over our jobs: a job's id is its task's. The SDK does
// not serve it yet; when it does, this file is what it replaces.

const POLL_INTERVAL_MS = 1_000

/** A job in the words of the extension. */
export interface Task {
  taskId: string
  status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled'
  createdAt: string
  lastUpdatedAt: string
  /** How long from its creation the task can be asked for. */
  ttlMs: number
  pollIntervalMs: number
  statusMessage: string
  result?: CallToolResult
  error?: { code: number; message: string }
  [key: string]: unknown
}

/** Tasks that are no jobs: those of fixtures, which ask their caller something. */
export interface ParkedTasks {
  read(taskId: string): Task | undefined
  /** Only for a task that can be read. */
  update(taskId: string, responses: Readonly<Record<string, unknown>>): void
  cancel(taskId: string): void
}

export type TaskCreated = Task & { resultType: 'task' }

/** The answer to a call whose client follows tasks; the job is recorded by now. */
export async function createdTask(session: McpSession, jobId: string): Promise<TaskCreated> {
  return { resultType: 'task', ...(await readTask(session, jobId)) }
}

/** Serves the methods of the extension. Each is refused to clients that do not declare it. */
export function serveTasks(server: McpServer, session: McpSession): void {
  const { deps, principal, options } = session
  const parked = options.fixtures?.parked
  const params = z.looseObject({ taskId: z.string() })
  type Answer = (taskId: string, ctx: ServerContext) => Promise<object>
  const serve = (method: string, answer: Answer) =>
    server.server.setRequestHandler(method, { params }, async ({ taskId }, ctx) => {
      requireTasks(ctx)
      try {
        return { ...(await answer(taskId, ctx)) }
      } catch (error) {
        throw taskError(session, error)
      }
    })
  serve('tasks/get', async (taskId) => {
    const own = parked?.read(taskId)
    if (own) return own
    // Asking is a sign that somebody still wants the job.
    await status(deps, principal, taskId)
    return readTask(session, taskId)
  })
  serve('tasks/cancel', async (taskId) => {
    if (parked?.read(taskId)) parked.cancel(taskId)
    else await cancel(deps, principal, taskId)
    return {}
  })
  serve('tasks/update', async (taskId, { mcpReq }) => {
    if (parked?.read(taskId)) parked.update(taskId, mcpReq.inputResponses ?? {})
    // No job asks its caller anything, so there is nothing to update.
    else await readJob(deps, principal, taskId)
    return {}
  })
}

/** @throws {ProtocolError} -32021 for a client that does not declare the extension */
export function requireTasks(ctx: ServerContext): void {
  if (followsTasks(ctx)) return
  throw new MissingRequiredClientCapabilityError({
    requiredCapabilities: { extensions: { [TASKS]: {} } },
  })
}

async function readTask({ deps, principal, options }: McpSession, jobId: string): Promise<Task> {
  const record = await readJob(deps, principal, jobId)
  const { job } = record
  return {
    taskId: job.id,
    ...outcomeOf(record, options.fixtures),
    createdAt: timeText(job.submittedAtMs),
    lastUpdatedAt: timeText(lastChangeMs(record)),
    ttlMs: job.deadlineAtMs - job.submittedAtMs + options.retentionMs,
    pollIntervalMs: POLL_INTERVAL_MS,
    statusMessage: statusOf(record).phase,
  }
}

function outcomeOf(
  record: JobRecord,
  fixtures: McpFixtures | undefined,
): Pick<Task, 'status' | 'result' | 'error'> {
  const { result } = record
  if (!result) return { status: 'working' }
  if (result.ended === 'cancelled') return { status: 'cancelled' }
  try {
    return { status: 'completed', result: fixtures?.answerOf(record) ?? resultAnswer(result) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { status: 'failed', error: { code: error.code, message: error.message } }
  }
}

function lastChangeMs({ job, steps, result, underway }: JobRecord): number {
  if (result) return job.submittedAtMs + result.duration_ms
  return Math.max(job.submittedAtMs, steps.at(-1)?.finishedAtMs ?? 0, underway?.atMs ?? 0)
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

function taskError({ deps }: McpSession, thrown: unknown): ProtocolError {
  const error = busyOnTrouble(thrown)
  if (error instanceof ProtocolError) return error
  // An id that is unknown, or somebody else's, is a bad parameter in the words of the extension.
  if (error instanceof RequestError) {
    return error.code === 'busy' ? busy(error) : invalidParams(error.message)
  }
  return internalError(deps.log, error)
}

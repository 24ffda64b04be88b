import { RequestError } from '@hyperguild/core/errors.ts'
import { statusOf } from '@hyperguild/core/job-status.ts'
import type { JobRecord } from '@hyperguild/io/queue/job-reads.ts'
import {
  type CallToolResult,
  type McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  type ServerContext,
} from '@modelcontextprotocol/server'
import * as z from 'zod'
import { internalError, invalidParams, resultAnswer } from './mcp-answers.ts'
import { followsTasks, type McpFixtures, type McpSession, TASKS } from './mcp-session.ts'
import { cancel, readJob, status } from './operations.ts'

// The tasks extension (SEP-2663, io.modelcontextprotocol/tasks) over our jobs: a job's id is its task's. The SDK does
// not serve it yet; when it does, this file is what it replaces.

const POLL_INTERVAL_MS = 1_000

/** A job in the words of the extension. */
interface Task {
  taskId: string
  status: 'working' | 'completed' | 'failed' | 'cancelled'
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

export type TaskCreated = Task & { resultType: 'task' }

/** The answer to a call whose client follows tasks; the job is recorded by now. */
export async function createdTask(session: McpSession, jobId: string): Promise<TaskCreated> {
  return { resultType: 'task', ...(await readTask(session, jobId)) }
}

/** Serves the methods of the extension. Each is refused to clients that do not declare it. */
export function serveTasks(server: McpServer, session: McpSession): void {
  const params = z.looseObject({ taskId: z.string() })
  const serve = (method: string, answer: (taskId: string) => Promise<object>) =>
    server.server.setRequestHandler(method, { params }, async ({ taskId }, ctx) => {
      requireTasks(ctx)
      try {
        return { ...(await answer(taskId)) }
      } catch (error) {
        throw taskError(session, error)
      }
    })
  serve('tasks/get', async (taskId) => {
    // Asking is a sign that somebody still wants the job.
    await status(session.deps, session.principal, taskId)
    return readTask(session, taskId)
  })
  serve('tasks/cancel', async (taskId) => {
    await cancel(session.deps, session.principal, taskId)
    return {}
  })
  // No job asks its caller anything, so there is nothing to update.
  serve('tasks/update', async (taskId) => {
    await readJob(session.deps, session.principal, taskId)
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

function taskError({ deps }: McpSession, error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  // An id that is unknown, or somebody else's, is a bad parameter in the words of the extension.
  if (error instanceof RequestError) return invalidParams(error.message)
  return internalError(deps.log, error)
}

import { RequestError } from '@hyperguild/core/errors.ts'
import type { JobStatus } from '@hyperguild/core/job-status.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import { busyOnTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import { type CallToolResult, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import { jobUri } from './job-uri.ts'

/** A longer diff is left to be fetched: the whole answer should stay within what clients show a model at once. */
const DIFF_CHARS_INLINE = 100_000
const OUTPUT_CHARS_INLINE = 20_000

type Answer = Readonly<Record<string, unknown>>

/** An answer as data, and the same as text for clients that read only that. */
export function structured(answer: Answer, isError = false): CallToolResult {
  const text = isError ? `${answer.message}\n${JSON.stringify(answer)}` : JSON.stringify(answer)
  return { content: [{ type: 'text', text }], structuredContent: { ...answer }, isError }
}

/** The result of a job. What is too long for an answer is replaced by a link to it. */
export function resultAnswer(result: JobResult): CallToolResult {
  const links: CallToolResult['content'] = []
  const id = result.job_id
  let shown: Answer = { ...result }
  if (result.patch && result.patch.diff.length > DIFF_CHARS_INLINE) {
    const uri = jobUri(id, 'patch')
    shown = { ...shown, patch: { ...result.patch, diff: '', diff_uri: uri } }
    links.push(link(uri, 'patch', 'The change in full, as a unified diff', 'text/x-diff'))
  }
  if (result.runner_output.length > OUTPUT_CHARS_INLINE) {
    const tail = result.runner_output.slice(-OUTPUT_CHARS_INLINE)
    shown = { ...shown, runner_output: tail }
    links.push(link(jobUri(id, 'log'), 'log', 'Every attempt with its full output', 'text/plain'))
  }
  const answer = structured(shown, result.status !== 'pass')
  return { ...answer, content: [...answer.content, ...links] }
}

/** The answer of a call that was not held until its job ended. */
export function runningAnswer(status: JobStatus): CallToolResult {
  const { job_id, session_id, phase, attempts, queue_position } = status
  return structured({
    status: 'running',
    job_id,
    session_id,
    phase,
    ...(queue_position === undefined ? {} : { queue_position }),
    attempts,
    message: `the job goes on (${phase}); this is not its result yet`,
    next: `call job_wait with job_id "${job_id}" to get the result; job_cancel ends the job`,
  })
}

function link(uri: string, name: string, description: string, mimeType: string) {
  return { type: 'resource_link' as const, uri, name, description, mimeType }
}

/** The caller hung up; nobody reads what this becomes. */
export class CallerLeft extends Error {}

/**
 * Problems that the caller can mend are answers with our words; everything else is ours and says nothing.
 * @throws {ProtocolError} for what is no business of a model
 */
export function errorAnswer(log: Logger, thrown: unknown): CallToolResult {
  if (thrown instanceof ProtocolError) throw thrown
  const error = busyOnTrouble(thrown)
  if (error instanceof RequestError) {
    if (error.code === 'unknown_skill') throw invalidParams(error.message)
    return problem(withRetryTime(error))
  }
  throw internalError(log, error)
}

/** A model reads no headers. */
function withRetryTime({ message, retryAfterMs }: RequestError): string {
  if (retryAfterMs === undefined) return message
  return `${message} (worth trying again in ${Math.ceil(retryAfterMs / 1000)} s)`
}

export function invalidParams(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message)
}

/** For requests whose answer has no place for an error in words. */
export function busy(error: RequestError): ProtocolError {
  const { retryAfterMs } = error
  return new ProtocolError(ProtocolErrorCode.InternalError, withRetryTime(error), {
    code: 'busy',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

export function internalError(log: Logger, error: unknown): ProtocolError {
  if (error instanceof CallerLeft) {
    return new ProtocolError(ProtocolErrorCode.InternalError, 'the caller left')
  }
  log.error({ err: error }, 'call_failed')
  return new ProtocolError(ProtocolErrorCode.InternalError, 'the gateway failed; its log says why')
}

function problem(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true }
}

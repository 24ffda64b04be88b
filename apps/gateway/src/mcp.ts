import { RequestError } from '@hyperguild/core/errors.ts'
import { eventText } from '@hyperguild/core/event-text.ts'
import type { JobEvent } from '@hyperguild/core/job.ts'
import { LOCAL } from '@hyperguild/core/principal.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import { resultSchemaOf } from '@hyperguild/core/result-schema.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import {
  type CallToolResult,
  createMcpHandler,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server'
import type { Context, Handler } from 'hono'
import type { GatewayDeps } from './deps.ts'
import { lookupFor } from './lookups.ts'
import { type Call, requireSkill, submitJob } from './submit-job.ts'

const KEEP_ALIVE_MS = 10_000
/** Clients give up after minutes without a progress notification; comments on the stream do not count for them. */
const HEARTBEAT_MS = 10_000
/** Claude Code spills larger results into a file unless the tool says that it means it. */
const MAX_RESULT_CHARS = 500_000

const INSTRUCTIONS = `hyperguild does development work with the cheapest model that really can: local models first, judged by executed
evidence and by Claude, escalated only when they fall short. Give project_root as an absolute path. A call may take
minutes; it reports progress. Use the same session_id for calls that belong together.`

/** Serves both protocol eras on one route. */
export function createMcpRoute(deps: GatewayDeps, version: string): Handler {
  const tools = [...deps.skills.values()].filter((skill) => skill.kind !== 'stage').map(toolOf)
  const build = () => buildServer(deps, tools, version)
  const options = {
    keepAliveMs: KEEP_ALIVE_MS,
    onerror: (error: Error) => deps.log.debug({ err: error }, 'mcp_error'),
  }
  const plain = createMcpHandler(build, options)
  // Calls of skills stream from the first byte: clients time out on missing response headers after 60 s.
  const streaming = createMcpHandler(build, { ...options, responseMode: 'sse' })
  return (c: Context) => {
    const parsedBody: unknown = c.get('parsedBody')
    const handler = isToolCall(parsedBody) ? streaming : plain
    return handler.fetch(acceptingAnyAnswer(c.req.raw), { parsedBody })
  }
}

/** Clients that forget a media type, or send any, read both all the same; the SDK would turn them away. */
function acceptingAnyAnswer(request: Request): Request {
  const accept = request.headers.get('accept') ?? ''
  const isFull = accept.includes('application/json') && accept.includes('text/event-stream')
  if (request.method !== 'POST' || isFull) return request
  const headers = new Headers(request.headers)
  headers.set('accept', 'application/json, text/event-stream')
  return new Request(request, { headers })
}

function isToolCall(body: unknown): boolean {
  return (
    typeof body === 'object' && body !== null && 'method' in body && body.method === 'tools/call'
  )
}

function toolOf(skill: Skill): Tool {
  return {
    name: skill.name,
    title: skill.title,
    description: skill.description,
    inputSchema: skill.input as Tool['inputSchema'],
    outputSchema: resultSchemaOf(skill) as NonNullable<Tool['outputSchema']>,
    annotations: {
      title: skill.title,
      readOnlyHint: skill.read_only,
      destructiveHint: false,
      idempotentHint: skill.read_only,
      openWorldHint: skill.kind !== 'lookup',
    },
    _meta: { 'anthropic/maxResultSizeChars': MAX_RESULT_CHARS },
  }
}

/** One server instance answers one request; everything that lives longer is in `deps`. */
function buildServer(deps: GatewayDeps, tools: readonly Tool[], version: string): Server {
  const server = new Server(
    { name: 'hyperguild', title: 'hyperguild', version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  )
  server.setRequestHandler('tools/list', () => ({ tools: [...tools] }))
  server.setRequestHandler('tools/call', async (request, ctx) => {
    const { name, arguments: input = {} } = request.params
    try {
      return await callSkill(deps, { skill: name, input, principal: 'local' }, ctx)
    } catch (error) {
      return toolError(deps, error)
    }
  })
  return server
}

async function callSkill(
  deps: GatewayDeps,
  call: Call,
  ctx: ServerContext,
): Promise<CallToolResult> {
  const skill = requireSkill(deps, call)
  if (skill.kind === 'lookup') return structured(await lookupFor(skill)(deps, call.input, LOCAL), false)
  const progress = progressOf(ctx)
  const { job, listening } = await submitJob(deps, skill, call, progress.report)
  progress.start(`queued: ${job.chain.length} models to try, ${job.chain[0]} first`)
  try {
    const gone = new Promise<never>((_, reject) => {
      ctx.mcpReq.signal.addEventListener('abort', () => reject(new CallerLeft()), { once: true })
    })
    return resultOf(await Promise.race([listening.result, gone]))
  } finally {
    progress.stop()
    listening.stop()
  }
}

/** The connection is gone; the job goes on and its result stays fetchable. */
class CallerLeft extends Error {}

function resultOf(result: JobResult): CallToolResult {
  return structured({ ...result }, result.status !== 'pass')
}

function structured(answer: Readonly<Record<string, unknown>>, isError: boolean): CallToolResult {
  const text = isError ? `${answer.message}\n${JSON.stringify(answer)}` : JSON.stringify(answer)
  return { content: [{ type: 'text', text }], structuredContent: { ...answer }, isError }
}

/** Problems the caller can mend are tool errors with their words; everything else is ours and says nothing. */
function toolError(deps: GatewayDeps, error: unknown): CallToolResult {
  if (error instanceof RequestError) {
    if (error.code === 'unknown_skill') {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message)
    }
    return { content: [{ type: 'text', text: error.message }], isError: true }
  }
  if (error instanceof CallerLeft)
    throw new ProtocolError(ProtocolErrorCode.InternalError, 'the caller left')
  deps.log.error({ err: error }, 'call_failed')
  throw new ProtocolError(ProtocolErrorCode.InternalError, 'the gateway failed; its log says why')
}

/** Progress for callers that asked for it: on every phase, and in between so that no client thinks the call dead. */
function progressOf(ctx: ServerContext) {
  const progressToken = ctx.mcpReq._meta?.progressToken
  let progress = 0
  let latest = 'queued'
  let timer: NodeJS.Timeout | undefined
  function send(): void {
    if (progressToken === undefined || ctx.mcpReq.signal.aborted) return
    progress += 1
    const params = { progressToken, progress, message: latest }
    ctx.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }
  return {
    start(message: string) {
      latest = message
      send()
      timer = setInterval(send, HEARTBEAT_MS)
    },
    report(event: JobEvent) {
      if (event.kind === 'done') return
      latest = eventText(event)
      send()
    },
    stop() {
      clearInterval(timer)
    },
  }
}

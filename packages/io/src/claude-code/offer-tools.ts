import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import {
  type CallToolResult,
  createMcpHandler,
  fromJsonSchema,
  McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { LoopTool, ToolResult } from '../work/loop-tool.ts'

/** Tools of ours that a program on this machine may call, over MCP, for as long as one run of it. */
export interface OfferedTools extends AsyncDisposable {
  url: string
  /** What its calls must bring; nobody else can know it. */
  token: string
  names: readonly string[]
}

const KEEP_ALIVE_MS = 10_000
/** Claude Code gives a call up after 300 s without such a sign. */
const PROGRESS_EVERY_MS = 10_000

/** Offers tools on a free port of the loopback interface. Calls under way end when `signal` aborts. */
export async function offerTools(
  tools: readonly LoopTool[],
  signal: AbortSignal,
): Promise<OfferedTools> {
  const token = randomBytes(32).toString('base64url')
  // Headers must come within 60 s, so every answer is a stream.
  const handler = createMcpHandler(() => serverWith(tools, signal), {
    responseMode: 'sse',
    keepAliveMs: KEEP_ALIVE_MS,
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<AddressInfo>()
  let host = ''
  const fetch = (request: Request) =>
    isOurs(request, host, token) ? handler.fetch(request) : new Response(null, { status: 401 })
  const server = serve({ fetch, port: 0, hostname: '127.0.0.1' }, resolve) as Server
  server.once('error', reject)
  host = `127.0.0.1:${(await listening).port}`
  return {
    url: `http://${host}/mcp`,
    token,
    names: tools.map(({ name }) => name),
    async [Symbol.asyncDispose]() {
      await handler.close()
      const closed = new Promise<void>((done) => server.close(() => done()))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Pages of a browser name another host, or say where they are from. */
function isOurs({ headers }: Request, host: string, token: string): boolean {
  if (headers.get('host') !== host || headers.has('origin')) return false
  const given = Buffer.from(headers.get('authorization') ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function serverWith(tools: readonly LoopTool[], signal: AbortSignal): McpServer {
  const server = new McpServer({ name: 'hyperguild', version: '0' })
  for (const tool of tools) {
    const { name, description, input } = tool
    const inputSchema = fromJsonSchema<Record<string, unknown>>(input)
    server.registerTool(name, { description, inputSchema }, (args, ctx) =>
      callTool(tool, args, ctx, signal),
    )
  }
  return server
}

async function callTool(
  tool: LoopTool,
  args: Record<string, unknown>,
  ctx: ServerContext,
  signal: AbortSignal,
): Promise<CallToolResult> {
  const stopProgress = startProgress(ctx)
  try {
    const result = await tool.run(args as Parameters<LoopTool['run']>[0], either(ctx, signal))
    return contentOf(result)
  } finally {
    stopProgress()
  }
}

function either(ctx: ServerContext, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([ctx.mcpReq.signal, signal])
}

function contentOf({ text, isError }: ToolResult): CallToolResult {
  return { content: [{ type: 'text', text }], ...(isError ? { isError } : {}) }
}

function startProgress(ctx: ServerContext): () => void {
  const progressToken = ctx.mcpReq._meta?.progressToken
  if (progressToken === undefined) return () => {}
  let progress = 0
  const timer = setInterval(() => {
    progress += 1
    const params = { progressToken, progress }
    ctx.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }, PROGRESS_EVERY_MS)
  return () => clearInterval(timer)
}

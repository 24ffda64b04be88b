import type { Principal } from '@hyperguild/core/principal.ts'
import {
  type CallToolResult,
  createMcpHandler,
  InMemoryServerEventBus,
  type McpRequestContext,
  McpServer,
  type ServerOptions,
} from '@modelcontextprotocol/server'
import type { SkillCatalog } from '@modelcontextprotocol/server/ext/skills'
import type { Context, Hono } from 'hono'
import type { GatewayDeps } from './deps.ts'
import { iconsFor } from './mcp-icons.ts'
import { servePrompts } from './mcp-prompts.ts'
import { serveResources } from './mcp-resources.ts'
import { type McpOptions, type McpSession, TASKS, type ToolEntry } from './mcp-session.ts'
import { skillCatalogOf } from './mcp-skills.ts'
import { serveTasks } from './mcp-tasks.ts'
import { allTools, callTool } from './mcp-tools.ts'
import { isSelected, type Selection, selectionProblems, selectionsOf } from './tool-selection.ts'

const KEEP_ALIVE_MS = 10_000
/** What is listed changes only with a new start of the gateway. */
const LISTS = { ttlMs: 300_000, cacheScope: 'private' } as const

const INSTRUCTIONS = `hyperguild does development work with the cheapest model that really can: local models first, judged by executed
evidence and by Claude, escalated only when they fall short. Give project_root as an absolute path. A call may take
minutes; it reports progress. When an answer has status "running", the job goes on: call job_wait with its job_id for the
result. Calling the same again joins the job instead of starting another. Use the same session_id for calls that belong
together. status "pass" means accepted; verified means that an exit code proved it.`

/** What a request is answered with, besides what all of them share. */
interface Asking {
  principal: Principal
  selections: readonly Selection[]
}

const PATHS = ['/mcp', '/mcp/readonly', '/mcp/x/:toolset', '/mcp/x/:toolset/readonly']

/**
 * Serves both eras of the protocol, statelessly, at `/mcp`; at `/mcp/x/{toolset}` and `/mcp/readonly` with fewer tools.
 * @throws when a discipline file cannot be served as a skill
 */
export async function mountMcp(app: Hono, deps: GatewayDeps, options: McpOptions): Promise<void> {
  const tools = allTools(deps.skills, options.fixtures)
  const catalog = await skillCatalogOf(deps.skills)
  const build = (request: McpRequestContext) => {
    const asking = request.authInfo?.extra?.asking as Asking
    const hangingUpCancels = request.era === 'modern'
    const session = { deps, options, principal: asking.principal, hangingUpCancels }
    const offered = tools.filter((tool) => isSelected(tool, [options.offer, ...asking.selections]))
    return buildServer(session, offered, catalog)
  }
  const common = {
    keepAliveMs: KEEP_ALIVE_MS,
    bus: new InMemoryServerEventBus(),
    onerror: (error: Error) => deps.log.debug({ err: error }, 'mcp_error'),
  }
  const plain = createMcpHandler(build, common)
  // Long calls stream from the first byte: clients time out on missing response headers after 60 s.
  const streaming = createMcpHandler(build, { ...common, responseMode: 'sse' })
  options.fixtures?.connect(plain.notify)
  const long = new Set(tools.filter((tool) => tool.isLong).map((tool) => tool.name))

  const answer = (c: Context): Response | Promise<Response> => {
    const selections = selectionsOf(c.req.raw)
    const problems = selections.flatMap((one) => selectionProblems(tools, one))
    if (problems.length > 0) return c.json(refusal(problems), 400)
    const parsedBody: unknown = c.get('parsedBody')
    const handler = callsOneOf(long, parsedBody) ? streaming : plain
    const asking: Asking = { principal: options.principalOf(c), selections }
    const { name, scopes } = asking.principal
    const authInfo = { token: '', clientId: name, scopes: [...scopes], extra: { asking } }
    return handler.fetch(acceptingAnyAnswer(c.req.raw), { parsedBody, authInfo })
  }
  for (const path of PATHS) app.all(path, answer)
}

/** One server instance answers one request; everything that lives longer is in the session's parts. */
function buildServer(
  session: McpSession,
  tools: readonly ToolEntry[],
  catalog: SkillCatalog,
): McpServer {
  const { version, fixtures } = session.options
  const icons = iconsFor('guild')
  const mcp = new McpServer(
    { name: 'hyperguild', title: 'hyperguild', version, icons },
    serverOptions(session),
  )
  // The SDK's own dispatcher takes an answer that is a task for a broken one.
  mcp.server.registerCapabilities({ tools: { listChanged: fixtures !== undefined } })
  mcp.server.setRequestHandler('tools/list', () => ({ tools: tools.map(({ tool }) => tool) }))
  mcp.server.setRequestHandler('tools/call', async ({ params }, ctx) => {
    const answer = await callTool(session, tools, params, ctx)
    // The SDK's types know no tasks.
    return answer as CallToolResult
  })
  // Where the SDK looks for inputs that a client must repeat in a header (SEP-2243) before it dispatches a call.
  const schemas = new Map(tools.map(({ name, tool }) => [name, tool.inputSchema]))
  Object.assign(mcp, { toolInputSchemaJson: (name: string) => schemas.get(name) })
  servePrompts(mcp)
  serveResources(mcp, session)
  fixtures?.install(mcp)
  catalog.attach(mcp)
  if (session.hangingUpCancels) serveTasks(mcp, session)
  return mcp
}

function serverOptions({ options: { fixtures }, hangingUpCancels }: McpSession): ServerOptions {
  const listChanged = fixtures !== undefined
  return {
    capabilities: {
      resources: { listChanged },
      prompts: { listChanged },
      ...(hangingUpCancels ? { extensions: { [TASKS]: {} } } : {}),
    },
    instructions: INSTRUCTIONS,
    cacheHints: {
      'server/discover': LISTS,
      'tools/list': LISTS,
      'prompts/list': LISTS,
      'resources/templates/list': LISTS,
    },
    ...(fixtures ? { requestState: { verify: fixtures.verifyState } } : {}),
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

function callsOneOf(names: ReadonlySet<string>, body: unknown): boolean {
  const { method, params } = (body ?? {}) as { method?: unknown; params?: { name?: unknown } }
  return method === 'tools/call' && names.has(String(params?.name))
}

function refusal(problems: readonly string[]) {
  return { jsonrpc: '2.0', id: null, error: { code: -32602, message: problems.join('; ') } }
}

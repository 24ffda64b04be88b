import type { Principal } from '@hyperguild/core/principal.ts'
import type { JobRecord } from '@hyperguild/io/queue/read-records.ts'
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequiredResult,
  type McpServer,
  type ServerContext,
  type ServerNotifier,
  type Tool,
} from '@modelcontextprotocol/server'
import type { Context } from 'hono'
import type { Attendance } from './attendance.ts'
import type { GatewayDeps } from './deps.ts'
import type { ParkedTasks, TaskCreated } from './mcp-tasks.ts'
import type { Selectable, Selection } from './tool-selection.ts'

/** How long calls are held open, and what happens to jobs whose caller leaves. All in milliseconds. */
export interface Holding {
  /** For clients that asked for no progress. */
  silentMs: number
  progressMs: number
  heartbeatMs: number
}

export interface McpOptions {
  version: string
  holding: Holding
  attendance: Attendance
  /** On whose behalf a request comes, which was let in before. */
  principalOf(c: Context): Principal
  /** How long a finished job can be fetched. */
  retentionMs: number
  /** What the operator offers; requests can only narrow it. */
  offer: Selection
  /** What the conformance suite needs besides. */
  fixtures?: McpFixtures
}

/** One request, and on whose behalf. */
export interface McpSession {
  deps: GatewayDeps
  options: McpOptions
  principal: Principal
  /** Whether hanging up means that the answer is not wanted any more: so since protocol 2026-07-28. */
  hangingUpCancels: boolean
}

export type ToolAnswer = CallToolResult | TaskCreated | InputRequiredResult

/** A tool as clients see it, and what it does. */
export interface ToolEntry extends Selectable {
  tool: Tool
  /** Whether an answer may take long: then the answer streams from its first byte. */
  isLong: boolean
  run(
    session: McpSession,
    input: Readonly<Record<string, unknown>>,
    ctx: ServerContext,
  ): Promise<ToolAnswer>
}

/** Tools, prompts and resources that exist only for a test of the protocol, on the same dispatcher as all others. */
export interface McpFixtures {
  tools: readonly ToolEntry[]
  install(server: McpServer): void
  /** The answer of a job that a fixture stands behind; null for all others. @throws {ProtocolError} on purpose */
  answerOf(record: JobRecord): CallToolResult | null
  parked: ParkedTasks
  /** Checks what comes back from a client as the state of a request in several rounds. */
  verifyState(state: string, ctx: ServerContext): unknown
  /** Gets what announces changes of lists. */
  connect(notify: ServerNotifier): void
}

export const TASKS = 'io.modelcontextprotocol/tasks'

/** Whether the client of this request can follow tasks. */
export function followsTasks({ mcpReq }: ServerContext): boolean {
  const envelope = mcpReq.envelope as { [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities }
  return envelope?.[CLIENT_CAPABILITIES_META_KEY]?.extensions?.[TASKS] !== undefined
}

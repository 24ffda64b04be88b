import type { JobRecord } from '@hyperguild/io/queue/read-records.ts'
import {
  type CallToolResult,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { callSkill } from '../mcp-calls.ts'
import type { McpSession, ToolEntry } from '../mcp-session.ts'
import { requireTasks } from '../mcp-tasks.ts'
import { fixture, said } from './mcp-fixture.ts'
import { elicit, textFrom } from './mcp-fixture-rounds.ts'

/** The skill of config/conformance, which waits as long as it is told. */
const SLOW = { name: 'slow_compute', kind: 'answer' } as const

/** Labels that the simulated model and `answerOf` know. */
const FAILS = 'model-fails'
const BREAKS = 'protocol-error'
const FOR = 'for '

/** Tools for the tasks scenarios: all but the first run as real jobs through the queue. */
export const JOB_FIXTURES: readonly ToolEntry[] = [
  fixture('greet', (_, { name }) => said(`Hello, ${name}!`), {
    type: 'object',
    properties: { name: { type: 'string' } },
  }),
  fixture('failing_job', (ctx, _, session) => {
    requireTasks(ctx)
    return slow(session, ctx, FAILS)
  }),
  fixture('protocol_error_job', (ctx, _, session) => slow(session, ctx, BREAKS)),
  fixture('test_tool_with_task', (ctx, _, session) => {
    requireTasks(ctx)
    const name = textFrom(ctx, 'user_name', 'name')
    return name === undefined
      ? inputRequired({ inputRequests: { user_name: elicit('What is your name?', 'name') } })
      : slow(session, ctx, `${FOR}${name}`)
  }),
]

/** Gives the jobs behind fixtures the answer, or the error of the protocol, that their scenario wants to see. */
export function answerOf({ job }: JobRecord): CallToolResult | null {
  const label = job.tool === SLOW.name ? String(job.input.label) : ''
  if (label.startsWith(FOR)) return said(`Computed ${label}`)
  if (label !== BREAKS) return null
  throw new ProtocolError(ProtocolErrorCode.InternalError, 'a protocol error, on purpose')
}

function slow(session: McpSession, ctx: ServerContext, label: string) {
  return callSkill(session, SLOW, { seconds: 1, label }, ctx)
}

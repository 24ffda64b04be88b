import type { ServerNotifier } from '@modelcontextprotocol/server'
import type { McpFixtures } from '../mcp-session.ts'
import { fixture, said } from './mcp-fixture.ts'
import { CONTENT_TOOLS } from './mcp-fixture-content.ts'
import { answerOf, JOB_FIXTURES } from './mcp-fixture-jobs.ts'
import { installLists } from './mcp-fixture-lists.ts'
import { parkedTasks } from './mcp-fixture-parked.ts'
import { ROUND_TOOLS, roundState } from './mcp-fixture-rounds.ts'

/** Everything that the MCP conformance suite needs of a server besides what ours offers anyway. */
export function conformanceFixtures(): McpFixtures {
  const parked = parkedTasks()
  let notify: ServerNotifier | undefined
  const triggers = [
    fixture('test_trigger_tool_change', () => {
      notify?.toolsChanged()
      return said('announced')
    }),
    fixture('test_trigger_prompt_change', () => {
      notify?.promptsChanged()
      return said('announced')
    }),
  ]
  return {
    tools: [...CONTENT_TOOLS, ...ROUND_TOOLS, ...JOB_FIXTURES, ...parked.tools, ...triggers],
    install: installLists,
    answerOf,
    parked,
    verifyState: roundState.verify,
    connect(notifier) {
      notify = notifier
    },
  }
}

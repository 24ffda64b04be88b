import { callInputOf } from '@hyperguild/core/call-inputs.ts'
import { resultSchemaOf } from '@hyperguild/core/result-schema.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { ServerContext, Tool } from '@modelcontextprotocol/server'
import { errorAnswer, invalidParams } from './mcp-answers.ts'
import { callSkill } from './mcp-calls.ts'
import { iconsFor } from './mcp-icons.ts'
import { JOB_TOOLS } from './mcp-job-tools.ts'
import type { McpFixtures, McpSession, ToolAnswer, ToolEntry } from './mcp-session.ts'

/** Claude Code spills larger results into a file unless the tool says that it means it. */
const MAX_RESULT_CHARS = 500_000

/** Every tool there is, in an order that never changes: the skills by name, then the tools for jobs. */
export function allTools(
  skills: ReadonlyMap<string, Skill>,
  fixtures: McpFixtures | undefined,
): readonly ToolEntry[] {
  const offered = [...skills.values()].filter((skill) => skill.kind !== 'stage')
  const byName = offered.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return [...byName.map(skillTool), ...JOB_TOOLS, ...(fixtures?.tools ?? [])]
}

/** Answers `tools/call`: what the caller can mend is an answer, the rest a protocol error. */
export async function callTool(
  session: McpSession,
  tools: readonly ToolEntry[],
  {
    name,
    arguments: input = {},
  }: { name: string; arguments?: Record<string, unknown> | undefined },
  ctx: ServerContext,
): Promise<ToolAnswer> {
  const entry = tools.find((one) => one.name === name)
  if (!entry) {
    const names = tools.map((one) => one.name).join(', ')
    throw invalidParams(`there is no tool "${name}" here; there are ${names}`)
  }
  try {
    return await entry.run(session, input, ctx)
  } catch (error) {
    return errorAnswer(session.deps.log, error)
  }
}

function skillTool(skill: Skill): ToolEntry {
  const isLookup = skill.kind === 'lookup'
  const tool: Tool = {
    name: skill.name,
    title: skill.title,
    description: skill.description,
    inputSchema: callInputOf(skill) as Tool['inputSchema'],
    outputSchema: resultSchemaOf(skill) as NonNullable<Tool['outputSchema']>,
    annotations: {
      title: skill.title,
      readOnlyHint: skill.read_only,
      destructiveHint: false,
      // An equal call joins the job of the first one.
      idempotentHint: skill.read_only || !isLookup,
      openWorldHint: !isLookup,
    },
    icons: iconsFor(skill.read_only ? 'read' : 'write'),
    _meta: { 'anthropic/maxResultSizeChars': MAX_RESULT_CHARS },
  }
  return {
    name: skill.name,
    toolset: skill.toolset ?? skill.family,
    readOnly: skill.read_only,
    tool,
    isLong: !isLookup,
    run: (session, input, ctx) => callSkill(session, skill, input, ctx),
  }
}

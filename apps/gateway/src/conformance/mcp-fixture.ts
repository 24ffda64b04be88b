import type { CallToolResult, ServerContext, Tool } from '@modelcontextprotocol/server'
import type { McpSession, ToolAnswer, ToolEntry } from '../mcp-session.ts'

type Input = Readonly<Record<string, unknown>>

/** A tool that exists only for the conformance suite; the suite fixes its name and what it answers. */
export function fixture(
  name: string,
  run: (ctx: ServerContext, input: Input, session: McpSession) => ToolAnswer | Promise<ToolAnswer>,
  inputSchema: Tool['inputSchema'] = { type: 'object' },
): ToolEntry {
  return {
    name,
    toolset: 'conformance',
    readOnly: true,
    tool: { name, description: 'A fixture of the conformance suite', inputSchema },
    isLong: false,
    run: async (session, input, ctx) => run(ctx, input, session),
  }
}

export function said(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] }
}

/** One red pixel. */
export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=='
/** No sound at all. */
export const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA='

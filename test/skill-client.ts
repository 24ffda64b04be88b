import type { JobResult } from '@hyperguild/core/result.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'

export interface SkillClient {
  /** The structured answer of a call, whatever its status. */
  call(skill: string, input: Readonly<Record<string, unknown>>): Promise<JobResult>
  /** For tools that are no jobs. */
  ask(tool: string, input: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>
}

/** An MCP client of a gateway; gone when the test ends. */
export async function connectClient(gatewayUrl: string): Promise<SkillClient> {
  const client = new Client({ name: 'test', version: '0' })
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', gatewayUrl)))
  onTestFinished(() => client.close())
  const ask = async (name: string, input: Readonly<Record<string, unknown>>) => {
    const reply = await client.callTool({ name, arguments: { ...input } })
    return (reply.structuredContent ?? { content: reply.content }) as Record<string, unknown>
  }
  return {
    ask,
    call: async (skill, input) => (await ask(skill, input)) as unknown as JobResult,
  }
}

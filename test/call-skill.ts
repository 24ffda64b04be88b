import type { JobResult } from '@hyperguild/core/result.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'

/** What an MCP client gets from a call. */
export interface Answer {
  isError: boolean
  text: string
  result: JobResult
  /** The messages of the progress notifications, in the order they came. */
  progress: string[]
}

export type CallSkill = (skill: string, input: Readonly<Record<string, unknown>>) => Promise<Answer>

/** Connects an MCP client of the newest era to a gateway; disconnected when the test ends. */
export async function connectCaller(gateway: { url: string }): Promise<CallSkill> {
  const client = new Client(
    { name: 'test', version: '0' },
    { versionNegotiation: { mode: 'auto' } },
  )
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)))
  onTestFinished(() => client.close())
  return async (skill, input) => {
    const progress: string[] = []
    const reply = await client.callTool(
      { name: skill, arguments: { ...input } },
      { onprogress: ({ message }) => progress.push(message ?? '') },
    )
    const [first] = reply.content
    return {
      isError: reply.isError === true,
      text: first?.type === 'text' ? first.text : '',
      result: reply.structuredContent as unknown as JobResult,
      progress,
    }
  }
}

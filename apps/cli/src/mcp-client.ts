import type { JobResult } from '@hyperguild/core/result.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const CALL_TIMEOUT_MS = 3_600_000

/** A connection to a gateway, as any MCP client has it. */
export interface SkillCaller {
  call(
    skill: string,
    input: Readonly<Record<string, unknown>>,
    onProgress: (message: string) => void,
  ): Promise<JobResult>
  close(): Promise<void>
}

export async function connectTo(gatewayUrl: string): Promise<SkillCaller> {
  const client = new Client({ name: 'hyperguild-cli', version: '0.1.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', gatewayUrl)))
  type Answer = JobResult | { status: 'running'; job_id: string }
  async function ask(
    name: string,
    input: Readonly<Record<string, unknown>>,
    onProgress: (message: string) => void,
  ): Promise<Answer> {
    const result = await client.callTool(
      { name, arguments: { ...input } },
      { onprogress: ({ message }) => onProgress(message ?? ''), timeout: CALL_TIMEOUT_MS },
    )
    return result.structuredContent as unknown as Answer
  }
  return {
    async call(skill, input, onProgress) {
      let answer = await ask(skill, input, onProgress)
      while (answer.status === 'running') {
        answer = await ask('job_wait', { job_id: answer.job_id }, onProgress)
      }
      return answer
    },
    close: () => client.close(),
  }
}

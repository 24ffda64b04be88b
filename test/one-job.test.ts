import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobResult } from '@hyperguild/core/result.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { expect, onTestFinished, test } from 'vitest'
import { startTestFleet } from './test-fleet.ts'

const SCRIPT = `
rules:
  - skill: review
    answer:
      message: Nothing to complain about.
      findings: []
  - skill: verifier
    answer: { accept: true, feedback: Fine. }
`

test('a job goes from an MCP client through Redis, a worker and the verifier and back', async () => {
  const fleet = await startTestFleet({ script: SCRIPT })
  await mkdir(join(fleet.folder, 'project'))
  await writeFile(join(fleet.folder, 'project', 'a.js'), 'export const a = 1\n')
  const client = new Client({ name: 'test', version: '0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${fleet.url}/mcp`)))
  onTestFinished(() => client.close())
  const reply = await client.callTool({
    name: 'review',
    arguments: { project_root: join(fleet.folder, 'project'), files: ['a.js'] },
  })
  const result = reply.structuredContent as unknown as JobResult
  expect(result).toMatchObject({
    status: 'pass',
    model_used: 'ollama/devstral-tuned',
    message: 'Nothing to complain about.',
    attempts: [{ attempt: 1, tier: 'local', verdict: 'accept', feedback: 'Fine.' }],
  })
  expect(fleet.models.calls().map((call) => call.skill)).toEqual(['review', 'verifier'])
})

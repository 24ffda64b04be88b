import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { callTool } from './mcp-wire.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

// Clients whose user gives up on a call. The SDKs of 2025 say so in a message of its own, which a gateway without sessions
// cannot bring together with the call; since 2026 they close the stream.

const SCRIPT = `
rules:
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
  - { skill: review, when: 'context: stuck', hang: true }
  - { skill: review, answer: { message: Done., findings: [] } }
`
const CHAINS = 'verifier: claude-judge\ndefault_chain: [ollama/small]\n'

interface Connected {
  listTools(): Promise<unknown>
  /** Calls `review`; `onProgress` hears each message. */
  review(
    input: Record<string, unknown>,
    options: { signal: AbortSignal; onprogress(): void },
  ): Promise<unknown>
}

async function connectNew({ url }: TestFleet, mode: 'auto' | 'legacy'): Promise<Connected> {
  const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
  onTestFinished(() => client.close())
  return {
    listTools: () => client.listTools(),
    review: (input, options) => client.callTool({ name: 'review', arguments: input }, options),
  }
}

async function connectOld({ url }: TestFleet): Promise<Connected> {
  const client = new OldClient({ name: 'test', version: '0' })
  // The old package's types were not written for exactOptionalPropertyTypes.
  const transport = new OldTransport(new URL(`${url}/mcp`)) as Parameters<OldClient['connect']>[0]
  await client.connect(transport)
  onTestFinished(() => client.close())
  return {
    listTools: () => client.listTools(),
    review: (input, options) =>
      client.callTool({ name: 'review', arguments: input }, undefined, options),
  }
}

/** Has a client call, and give up once its job is queued. */
async function giveUp(fleet: TestFleet, client: Connected, context: string) {
  const project_root = await fleet.writeProject({ 'a.js': 'a()\n' })
  const leaving = new AbortController()
  const queued = Promise.withResolvers<void>()
  const call = client.review(
    { project_root, files: ['a.js'], context },
    { signal: leaving.signal, onprogress: queued.resolve },
  )
  await queued.promise
  return {
    leave: () => {
      leaving.abort()
      return expect(call).rejects.toThrow()
    },
  }
}

const startFleet = (abandonMs: number, pools: ('local' | 'cloud')[]) =>
  startTestFleet({
    script: SCRIPT,
    chains: CHAINS,
    environment: { HYPERGUILD_SANDBOX: 'none', HYPERGUILD_ABANDON_MS: String(abandonMs) },
    pools,
  })

const onlyJob = async ({ url }: TestFleet) =>
  (await callTool(url, 'job_list', {})).structuredContent.jobs[0]

describe('a call that its client cancels', () => {
  test('by an SDK client of 2026 ends its job at once while that waits', async () => {
    const fleet = await startFleet(3_600_000, [])
    const { leave } = await giveUp(fleet, await connectNew(fleet, 'auto'), 'short')
    await leave()
    await expect.poll(async () => (await onlyJob(fleet)).phase).toBe('the job was cancelled')
  })

  test('by an SDK client of 2026 stops the model at work', async () => {
    const fleet = await startFleet(100, ['local', 'cloud'])
    const { leave } = await giveUp(fleet, await connectNew(fleet, 'auto'), 'stuck')
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'review')
    await leave()
    expect(await call.ended).toBe('closed')
    await expect.poll(async () => (await onlyJob(fleet)).phase).toBe('the job was cancelled')
  })

  test.each([
    ['an SDK client of 2025', (fleet: TestFleet) => connectNew(fleet, 'legacy')],
    ['a client of the old SDK', connectOld],
  ])('by %s goes on, and its result can be fetched', async (_, connect) => {
    const fleet = await startFleet(0, [])
    const client = await connect(fleet)
    const { leave } = await giveUp(fleet, client, 'short')
    await leave()
    // Whatever the client sent to cancel has arrived when a later request is answered.
    await client.listTools()
    const { job_id } = await onlyJob(fleet)
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    const waited = await callTool(fleet.url, 'job_wait', { job_id, wait_seconds: 15 })
    expect(waited.structuredContent).toMatchObject({ status: 'pass', message: 'Done.' })
    expect(fleet.models.calls().filter(({ skill }) => skill === 'review')).toHaveLength(1)
  })
})

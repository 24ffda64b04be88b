import { resultSchemaOf } from '@hyperguild/core/result-schema.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small, ollama/large]
`
const SCRIPT = `
rules:
  - skill: verifier
    when: 'ab.js[\\s\\S]*Sloppy'
    answer: {accept: false, feedback: Look again.}
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: review
    model: small
    when: 'file ab.js'
    answer: {message: Sloppy., findings: []}
  - skill: review
    when: 'file ab.js'
    answer: {message: This is ab., findings: []}
  - skill: review
    answer: {message: This is cd., findings: []}
`

async function startFleet(pools: readonly ('local' | 'cloud')[] = ['local', 'cloud']) {
  const environment = { HYPERGUILD_SANDBOX: 'none' }
  const fleet = await startTestFleet({ script: SCRIPT, chains: CHAINS, environment, pools })
  const project_root = await fleet.writeProject({ 'ab.js': 'ab()\n', 'cd.js': 'cd()\n' })
  const reviewOf = (file: string) => ({ project_root, files: [file] })
  return { fleet, reviewOf }
}

interface Reply {
  content: unknown
  structuredContent?: unknown
  isError?: boolean | undefined
}

interface Connected {
  list(): Promise<{ name: string }[]>
  call(input: Record<string, unknown>, onProgress?: (message: string) => void): Promise<Reply>
}

async function connectNew({ url }: TestFleet, mode: 'auto' | 'legacy'): Promise<Connected> {
  const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
  onTestFinished(() => client.close())
  return {
    list: async () => (await client.listTools()).tools,
    call: async (input, onProgress = () => {}) =>
      client.callTool(
        { name: 'review', arguments: input },
        { onprogress: ({ message }) => onProgress(message ?? '') },
      ),
  }
}

async function connectOld({ url }: TestFleet): Promise<Connected> {
  const client = new OldClient({ name: 'test', version: '0' })
  // The old package's types were not written for exactOptionalPropertyTypes.
  const transport = new OldTransport(new URL(`${url}/mcp`)) as Parameters<OldClient['connect']>[0]
  await client.connect(transport)
  onTestFinished(() => client.close())
  return {
    list: async () => (await client.listTools()).tools,
    call: async (input, onProgress = () => {}) =>
      (await client.callTool({ name: 'review', arguments: input }, undefined, {
        onprogress: ({ message }) => onProgress(message ?? ''),
      })) as Reply,
  }
}

const JOB_TOOLS = ['job_cancel', 'job_list', 'job_status', 'job_wait']

const CLIENTS: [name: string, connect: (fleet: TestFleet) => Promise<Connected>][] = [
  ['the SDK client of 2026-07-28', (fleet) => connectNew(fleet, 'auto')],
  ['the SDK client of 2025-11-25', (fleet) => connectNew(fleet, 'legacy')],
  ['the client of the old SDK', connectOld],
]

describe.each(CLIENTS)('%s', (_, connect) => {
  test('finds the tools as the skill files describe them, in a stable order', async () => {
    const { fleet } = await startFleet([])
    const client = await connect(fleet)
    const tools = await client.list()
    const skills = [...loadConfig(readEnvironment({})).skills.values()].filter(
      ({ kind }) => kind !== 'stage',
    )
    expect(tools.slice(0, skills.length)).toMatchObject(
      skills
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map((skill) => ({
          name: skill.name,
          title: skill.title,
          description: skill.description,
          inputSchema: skill.input,
          outputSchema: resultSchemaOf(skill),
          annotations: { readOnlyHint: skill.read_only, destructiveHint: false },
        })),
    )
    expect(tools.slice(skills.length).map(({ name }) => name)).toEqual(JOB_TOOLS)
    expect(await client.list()).toEqual(tools)
  })

  test('gets a structured answer, the same as text, and hears of every phase', async () => {
    const { fleet, reviewOf } = await startFleet()
    const { call } = await connect(fleet)
    const progress: string[] = []
    const reply = await call(reviewOf('ab.js'), (message) => progress.push(message))
    expect(reply).toMatchObject({
      isError: false,
      structuredContent: { status: 'pass', message: 'This is ab.', model_used: 'ollama/large' },
    })
    const text = JSON.stringify(reply.structuredContent)
    expect(reply.content).toEqual([{ type: 'text', text }])
    const seconds = '\\d+\\.\\d s'
    expect(progress).toEqual([
      'queued: 2 models to try, ollama/small first',
      'attempt 1/2: ollama/small (local, cold) works',
      'attempt 1/2: claude-judge judges',
      expect.stringMatching(
        `^attempt 1/2: ollama/small .*, ${seconds}\\) escalate: Look again\\.$`,
      ),
      'attempt 2/2: ollama/large (local, cold) works',
      'attempt 2/2: claude-judge judges',
      expect.stringMatching(`^attempt 2/2: ollama/large .*, ${seconds}\\) accept: Fine\\.$`),
    ])
  })

  test('can have two calls open at once, each with its own progress and answer', async () => {
    const { fleet, reviewOf } = await startFleet([])
    const { call } = await connect(fleet)
    const open = ['ab', 'cd'].map((name) => {
      const queued = Promise.withResolvers<string>()
      const progress: string[] = []
      const reply = call(reviewOf(`${name}.js`), (message) => {
        progress.push(message)
        queued.resolve(message)
      })
      return { reply, queued: queued.promise, progress }
    })
    await Promise.all(open.map(({ queued }) => queued))
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    const [ab, cd] = await Promise.all(open.map(({ reply }) => reply))
    expect(ab).toMatchObject({ structuredContent: { message: 'This is ab.' } })
    expect(cd).toMatchObject({ structuredContent: { message: 'This is cd.' } })
    expect(open.map(({ progress }) => progress.length)).toEqual([7, 4])
  })
})

const NEW_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const NEW_HEADERS = { 'mcp-protocol-version': '2026-07-28' }

function post({ url }: TestFleet, message: object, headers: Record<string, string>) {
  return fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
}

/** The JSON-RPC messages of an event stream. */
const messagesIn = (text: string): unknown[] =>
  [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!))

describe('plain HTTP', () => {
  const both = { accept: 'application/json, text/event-stream' }

  test('a stateless call of 2026-07-28 streams progress, then the result', async () => {
    const { fleet, reviewOf } = await startFleet()
    const params = {
      name: 'review',
      arguments: reviewOf('cd.js'),
      _meta: { ...NEW_META, progressToken: 'p1' },
    }
    const headers = { ...both, ...NEW_HEADERS, 'mcp-method': 'tools/call', 'mcp-name': 'review' }
    const response = await post(fleet, { id: 1, method: 'tools/call', params }, headers)
    expect(response.status).toBe(200)
    const messages = messagesIn(await response.text())
    expect(messages.slice(0, -1)).toMatchObject(
      [1, 2, 3, 4].map((progress) => ({
        method: 'notifications/progress',
        params: { progressToken: 'p1', progress },
      })),
    )
    expect(messages.at(-1)).toMatchObject({
      id: 1,
      result: { resultType: 'complete', structuredContent: { message: 'This is cd.' } },
    })
  })

  test('the headers of a call arrive while its job still waits for a worker', async () => {
    const { fleet, reviewOf } = await startFleet([])
    const params = { name: 'review', arguments: reviewOf('cd.js'), _meta: NEW_META }
    const headers = { ...both, ...NEW_HEADERS, 'mcp-method': 'tools/call', 'mcp-name': 'review' }
    const response = await post(fleet, { id: 1, method: 'tools/call', params }, headers)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(fleet.models.calls()).toEqual([])
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    expect(messagesIn(await response.text())).toMatchObject([
      { id: 1, result: { structuredContent: { message: 'This is cd.' } } },
    ])
  })

  test.each([
    ['both media types', 'application/json, text/event-stream'],
    ['anything', '*/*'],
    ['JSON alone', 'application/json'],
  ])('a client of 2025 that accepts %s is served', async (_, accept) => {
    const { fleet, reviewOf } = await startFleet()
    const clientInfo = { name: 'test', version: '0' }
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    const init = await post(fleet, { id: 1, method: 'initialize', params: hello }, { accept })
    expect(messagesIn(await init.text())).toMatchObject([
      { id: 1, result: { protocolVersion: '2025-06-18', serverInfo: { name: 'hyperguild' } } },
    ])
    const headers = { accept, 'mcp-protocol-version': '2025-06-18' }
    await post(fleet, { method: 'notifications/initialized' }, headers)
    const params = { name: 'review', arguments: reviewOf('cd.js') }
    const reply = await post(fleet, { id: 2, method: 'tools/call', params }, headers)
    expect(reply.status).toBe(200)
    expect(messagesIn(await reply.text())).toMatchObject([
      { id: 2, result: { isError: false, structuredContent: { message: 'This is cd.' } } },
    ])
  })

  test('a page of another site is turned away', async () => {
    const { fleet } = await startFleet([])
    const message = { id: 1, method: 'tools/list', params: { _meta: NEW_META } }
    const headers = { ...both, ...NEW_HEADERS, 'mcp-method': 'tools/list' }
    const foreign = await post(fleet, message, { ...headers, origin: 'https://example.com' })
    expect(foreign.status).toBe(403)
    expect((await post(fleet, message, headers)).status).toBe(200)
  })
})

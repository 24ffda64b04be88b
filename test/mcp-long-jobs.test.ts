import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ask, callTool, type Message, send } from './mcp-wire.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

// Clients as they are, with their limits and the gateway's scaled down: a minute is three seconds here.

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small]
`
const SCRIPT = `
rules:
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: review
    when: 'context: short'
    answer: {message: Done soon., findings: []}
  - skill: review
    when: 'context: .*long'
    delay_ms: 3500
    answer: {message: Done at last., findings: []}
  - skill: review
    when: 'context: a while'
    delay_ms: 700
    answer: {message: Done after a while., findings: []}
  - skill: review
    hang: true
`
const CLIENT_TIMEOUT_MS = 3000

async function startFleet(environment: Record<string, string> = {}, pools?: ('local' | 'cloud')[]) {
  const fleet = await startTestFleet({
    script: SCRIPT,
    chains: CHAINS,
    environment: {
      HYPERGUILD_SANDBOX: 'none',
      HYPERGUILD_HOLD_MS: '1000',
      HYPERGUILD_HOLD_PROGRESS_MS: '60000',
      HYPERGUILD_HEARTBEAT_MS: '50',
      HYPERGUILD_ABANDON_MS: '100',
      ...environment,
    },
    ...(pools ? { pools } : {}),
    concurrency: 16,
  })
  const project_root = await fleet.writeProject({ 'a.js': 'a()\n' })
  const review = (context: string) => ({ project_root, files: ['a.js'], context })
  return { fleet, review }
}

type Input = Record<string, unknown>
/** A client's way to a result: the structured answers it got on the way, the result last. */
type Way = (fleet: TestFleet, input: Input) => Promise<Message[]>

interface SdkClient {
  connect(transport: unknown): Promise<void>
  close(): Promise<void>
  callTool(params: object, ...rest: object[]): Promise<Message>
}

/** Calls, and calls job_wait for as long as the answer is that the job goes on. */
async function callAndWait(call: (name: string, input: Input) => Promise<Message>, input: Input) {
  const answers = [(await call('review', input)).structuredContent]
  while (answers.at(-1).status === 'running') {
    answers.push((await call('job_wait', { job_id: answers[0].job_id })).structuredContent)
  }
  return answers
}

const withNewClient =
  (mode: 'auto' | 'legacy', options: object): Way =>
  async ({ url }, input) => {
    const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
    onTestFinished(() => client.close())
    return callAndWait(
      (name, args) => client.callTool({ name, arguments: args }, options) as Promise<Message>,
      input,
    )
  }

const withOldClient =
  (options: object): Way =>
  async ({ url }, input) => {
    const client = new OldClient({ name: 'test', version: '0' }) as unknown as SdkClient
    await client.connect(new OldTransport(new URL(`${url}/mcp`)))
    onTestFinished(() => client.close())
    return callAndWait(
      (name, args) => client.callTool({ name, arguments: args }, undefined as never, options),
      input,
    )
  }

const silent = { timeout: CLIENT_TIMEOUT_MS }
const patient = { ...silent, resetTimeoutOnProgress: true, onprogress: () => {} }

const pollingTasks: Way = async ({ url }, input) => {
  const created = await callTool(url, 'review', input, { tasks: true })
  expect(created).toMatchObject({ resultType: 'task', status: 'working' })
  const { taskId } = created
  const get = () => ask(url, 'tasks/get', { taskId }, { tasks: true })
  await expect.poll(async () => (await get()).status, { timeout: 15_000 }).toBe('completed')
  return [(await get()).result.structuredContent]
}

const CLIENTS: [name: string, way: Way, comesBack: boolean][] = [
  ['an SDK client of 2026 that gives up without progress', withNewClient('auto', silent), true],
  ['an SDK client of 2025 that gives up without progress', withNewClient('legacy', silent), true],
  ['a client of the old SDK that gives up without progress', withOldClient(silent), true],
  ['an SDK client of 2026 whose clock progress resets', withNewClient('auto', patient), false],
  ['an SDK client of 2025 whose clock progress resets', withNewClient('legacy', patient), false],
  ['a client of the old SDK whose clock progress resets', withOldClient(patient), false],
  ['a client that polls tasks', pollingTasks, false],
]

test.each(CLIENTS)('%s gets the result of a short job in one answer', async (_, way) => {
  const { fleet, review } = await startFleet({ HYPERGUILD_HOLD_MS: '60000' })
  const answers = await way(fleet, review('short'))
  expect(answers).toMatchObject([{ status: 'pass', message: 'Done soon.' }])
})

test('every client gets the result of a job that lasts longer than it waits', async () => {
  const { fleet, review } = await startFleet()
  const all = await Promise.all(
    CLIENTS.map(async ([name, way, comesBack]) => {
      const answers = await way(fleet, review(`long, for ${name}`))
      return { name, comesBack, answers }
    }),
  )
  for (const { name, comesBack, answers } of all) {
    const last = { status: 'pass', message: 'Done at last.' }
    expect(answers.at(-1), name).toMatchObject(last)
    expect(answers.length > 1, name).toBe(comesBack)
    for (const answer of answers.slice(0, -1)) {
      expect(answer, name).toMatchObject({
        status: 'running',
        job_id: answers.at(-1).job_id,
        phase: expect.stringMatching(/^attempt 1\/1: /),
        next: expect.stringContaining(answer.job_id),
      })
    }
  }
  const reviews = fleet.models.calls().filter(({ skill }) => skill === 'review')
  expect(reviews).toHaveLength(CLIENTS.length)
}, 60_000)

describe('a client that hangs up', () => {
  const hangUp = async (fleet: TestFleet, input: Input, headers: Record<string, string> = {}) => {
    const leaving = new AbortController()
    const params = { name: 'review', arguments: input }
    const response = await send(fleet.url, 'tools/call', params, {
      signal: leaving.signal,
      headers,
    })
    return { response, leave: () => leaving.abort() }
  }
  const onlyJob = async (fleet: TestFleet) =>
    (await callTool(fleet.url, 'job_list', {})).structuredContent.jobs[0]

  test('and calls again gets the job that it had started', async () => {
    const { fleet, review } = await startFleet({ HYPERGUILD_ABANDON_MS: '60000' })
    const { leave } = await hangUp(fleet, review('a while'))
    await fleet.models.waitForCall(({ skill }) => skill === 'review')
    leave()
    const input = { ...review('a while'), wait_seconds: 60 }
    const again = (await callTool(fleet.url, 'review', input)).structuredContent
    expect(again).toMatchObject({ status: 'pass' })
    expect(fleet.models.calls().filter(({ skill }) => skill === 'review')).toHaveLength(1)
  })

  test('for good has its job cancelled after a while', async () => {
    const { fleet, review } = await startFleet()
    const { leave } = await hangUp(fleet, review('stuck'))
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'review')
    leave()
    expect(await call.ended).toBe('closed')
    expect(await onlyJob(fleet)).toMatchObject({ status: 'error', phase: 'the job was cancelled' })
  })

  test('while another one waits for the same job takes nothing from that one', async () => {
    const { fleet, review } = await startFleet()
    const { leave } = await hangUp(fleet, review('a while'))
    await fleet.models.waitForCall(({ skill }) => skill === 'review')
    const client = new Client({ name: 'test', version: '0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${fleet.url}/mcp`)))
    onTestFinished(() => client.close())
    const joined = Promise.withResolvers<unknown>()
    const other = client.callTool(
      { name: 'review', arguments: review('a while') },
      { onprogress: joined.resolve },
    )
    expect(await joined.promise).toMatchObject({ message: expect.stringContaining('joined') })
    leave()
    expect((await other).structuredContent).toMatchObject({ status: 'pass' })
  })

  test('while its job still waits in the queue has it cancelled at once', async () => {
    const { fleet, review } = await startFleet({ HYPERGUILD_ABANDON_MS: '3600000' }, [])
    const { leave } = await hangUp(fleet, review('short'))
    await expect.poll(async () => (await onlyJob(fleet))?.state).toBe('queued')
    leave()
    await expect.poll(async () => (await onlyJob(fleet)).phase).toBe('the job was cancelled')
  })

  test('in a protocol of 2025 leaves its job going, and can fetch the result', async () => {
    const { fleet, review } = await startFleet()
    const leaving = new AbortController()
    const params = { name: 'review', arguments: review('a while') }
    await fetch(`${fleet.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'mcp-protocol-version': '2025-06-18' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
      signal: leaving.signal,
    })
    await fleet.models.waitForCall(({ skill }) => skill === 'review')
    leaving.abort()
    const { job_id } = await onlyJob(fleet)
    const input = { job_id, wait_seconds: 60 }
    expect((await callTool(fleet.url, 'job_wait', input)).structuredContent).toMatchObject({
      status: 'pass',
    })
  })
})

describe('a task', () => {
  test('tells how far its job is, and ends when it is cancelled', async () => {
    const { fleet, review } = await startFleet()
    const { taskId } = await callTool(fleet.url, 'review', review('stuck'), { tasks: true })
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'review')
    const get = () => ask(fleet.url, 'tasks/get', { taskId }, { tasks: true })
    expect(await get()).toMatchObject({
      status: 'working',
      statusMessage: expect.stringContaining('ollama/small'),
    })
    expect(await ask(fleet.url, 'tasks/cancel', { taskId }, { tasks: true })).toMatchObject({
      resultType: 'complete',
    })
    expect(await call.ended).toBe('closed')
    expect(await get()).toMatchObject({ status: 'cancelled' })
  })

  test('is refused to a client that does not follow tasks, and unknown ones to everybody', async () => {
    const { fleet } = await startFleet({}, [])
    const taskId = 'no-such-task'
    expect(await ask(fleet.url, 'tasks/get', { taskId })).toMatchObject({
      error: { code: -32021 },
      status: 400,
    })
    expect(await ask(fleet.url, 'tasks/get', { taskId }, { tasks: true })).toMatchObject({
      error: { code: -32602 },
    })
  })
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CallTimeouts, ChatRequest } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { afterEach, describe, expect, it } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { createChatModel } from './chat-model.ts'
import { FAILURE_TABLE } from './failure-table.ts'

const started: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((models) => models.close()))
})

async function start(script: string | { rules: unknown[] }, timeouts: CallTimeouts = {}) {
  const text = typeof script === 'string' ? script : JSON.stringify(script)
  const models = await startSimulatedModels({ script: parseScript(text, 'test.yaml') })
  started.push(models)
  const endpoints = {
    local: { baseUrl: models.url, apiKey: 'local-key' },
    cloud: { baseUrl: `${models.url}/v1/`, apiKey: 'cloud-key' },
  }
  return { models, chat: createChatModel(endpoints, { timeouts }) }
}

function request(parts: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'ollama/small',
    system: '# review\n\nIron laws',
    messages: [{ role: 'user', text: 'the task' }],
    maxOutputTokens: 1000,
    ...parts,
  }
}

const NEVER = new AbortController().signal

async function failureOf(call: Promise<unknown>): Promise<ModelFailure> {
  const error = await call.then(
    () => null,
    (reason) => reason,
  )
  if (!(error instanceof ModelFailure)) throw new Error('not a ModelFailure', { cause: error })
  return error
}

const PROTOCOLS = [
  ['OpenAI chat completions', 'ollama/small'],
  ['Anthropic messages', 'claude-sonnet-4-6'],
] as const

const READ = {
  name: 'read_file',
  description: 'Reads a file.',
  input: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
}

describe.each(PROTOCOLS)('a call over %s', (_protocol, model) => {
  it('returns the text without reasoning and thinking, with its usage', async () => {
    const { chat } = await start(
      'rules: [{reasoning: hidden, text: "<think>aloud</think>\\nthe answer"}]',
    )
    const reply = await chat(request({ model }), NEVER)
    expect(reply).toMatchObject({ text: 'the answer', toolCalls: [], stop: 'end' })
    expect(reply.usage.inputTokens).toBe(Math.ceil('# review\n\nIron laws\nthe task'.length / 4))
    expect(reply.usage.outputTokens).toBeGreaterThan(0)
  })

  it('carries a long answer over many pieces whole', async () => {
    const text = Array.from({ length: 300 }, (_, i) => `line ${i}`).join('\n')
    const { chat } = await start({ rules: [{ text }] })
    expect((await chat(request({ model }), NEVER)).text).toBe(text)
  })

  it('passes tools and hands back calls, then continues from their results', async () => {
    const { models, chat } = await start(`
rules:
  - turns:
      - calls:
          - {tool: read_file, input: {path: a.js}}
          - {tool: read_file, input: {path: "b \\"quoted\\".js"}}
      - answer: {done: true}
`)
    const first = await chat(request({ model, tools: [READ] }), NEVER)
    expect(first.stop).toBe('tool_calls')
    expect(first.toolCalls.map(({ name, input }) => ({ name, input }))).toEqual([
      { name: 'read_file', input: { path: 'a.js' } },
      { name: 'read_file', input: { path: 'b "quoted".js' } },
    ])
    const [one, two] = first.toolCalls
    const second = await chat(
      request({
        model,
        tools: [READ],
        messages: [
          { role: 'user', text: 'the task' },
          { role: 'assistant', text: '', toolCalls: first.toolCalls },
          { role: 'tool', callId: one!.id, toolName: 'read_file', text: 'text of a' },
          { role: 'tool', callId: two!.id, toolName: 'read_file', text: 'text of b' },
        ],
      }),
      NEVER,
    )
    expect(second).toMatchObject({ text: '{"done":true}', toolCalls: [], stop: 'end' })
    expect(models.calls()[1]!.promptText).toMatch(/a\.js[\s\S]*text of a[\s\S]*text of b/)
  })

  it('sends back unparseable arguments as an object that every server accepts', async () => {
    const { models, chat } = await start('rules: [{text: ok}]')
    const broken = { id: 'call-1', name: 'read_file', input: '{"path": ' }
    const messages: ChatRequest['messages'] = [
      { role: 'user', text: 'the task' },
      { role: 'assistant', text: '', toolCalls: [broken] },
      { role: 'tool', callId: 'call-1', toolName: 'read_file', text: 'not JSON' },
    ]
    await chat(request({ model, tools: [READ], messages }), NEVER)
    expect(JSON.stringify(models.calls()[0]!.body)).toContain('unparsed')
  })

  it('says why the model stopped', async () => {
    const { chat } = await start(`
rules:
  - {times: 1, stop: length, text: cut o}
  - {times: 1, stop: refusal, text: I will not}
  - {stop: refusal, text: ""}
`)
    expect((await chat(request({ model }), NEVER)).stop).toBe('length')
    expect((await chat(request({ model }), NEVER)).stop).toBe('refusal')
    expect((await chat(request({ model }), NEVER)).stop).toBe('refusal')
  })

  it('calls an empty answer bad output, and still tells what it spent', async () => {
    const { chat } = await start('rules: [{reasoning: long thoughts, text: "<think>unclosed"}]')
    const failure = await failureOf(chat(request({ model }), NEVER))
    expect(failure.failure).toBe('bad_output')
    expect(failure.usage?.outputTokens).toBeGreaterThan(0)
  })

  it('ends at once when the caller aborts, with the reason of the caller', async () => {
    const { models, chat } = await start('rules: [{hang: true}]', { totalMs: 60_000 })
    const abort = new AbortController()
    const answer = expect(chat(request({ model }), abort.signal)).rejects.toThrow('enough')
    const call = await models.waitForCall(() => true)
    abort.abort(new Error('enough'))
    await answer
    expect(await call.ended).toBe('closed')
    await expect(chat(request({ model }), abort.signal)).rejects.toThrow('enough')
    expect(models.calls()).toHaveLength(1)
  })

  it.each([
    ['timeout_first_token', '{hang: true}', { firstTokenMs: 30 }],
    ['timeout_first_token', '{text: hi, stall_after_chunks: 0}', { firstTokenMs: 30 }],
    ['timeout_stall', '{text: hi, stall_after_chunks: 1}', { firstTokenMs: 20_000, stallMs: 30 }],
    ['timeout_total', '{text: hi, stall_after_chunks: 1}', { stallMs: 20_000, totalMs: 60 }],
    ['timeout_total', '{hang: true}', { totalMs: 30 }],
  ] as const)('fails with %s on %s', async (expected, rule, timeouts) => {
    const { chat } = await start(`rules: [${rule}]`, timeouts)
    const failure = await failureOf(chat(request({ model }), NEVER))
    expect(failure.failure).toBe(expected)
  })

  it('calls a connection that closes a network failure', async () => {
    const { chat } = await start('rules: [{drop: true}]')
    expect((await failureOf(chat(request({ model }), NEVER))).failure).toBe('network')
  })

  it.each(FAILURE_TABLE)('reads $failure from: $proof', async ({ failure: expected, proof }) => {
    const [status, body] = [Number(proof.slice(0, 3)), proof.slice(4)]
    const { models, chat } = await start({ rules: [{ error: { status, body } }] })
    const failure = await failureOf(chat(request({ model }), NEVER))
    expect(failure).toMatchObject({ failure: expected, httpStatus: status })
    expect(failure.message).toContain(new URL(models.url).host)
    expect(failure.message).not.toContain(JSON.parse(body).error.message ?? JSON.parse(body).error)
    expect(failure.cause).toBeDefined()
    expect(models.calls()).toHaveLength(1)
  })

  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after-ms': '1500', 'retry-after': '2' }, 1500],
    [{ 'retry-after': new Date(0).toUTCString() }, 0],
    [{ 'retry-after': 'soon' }, undefined],
  ])('reads when to come back from %j', async (headers, expected) => {
    const { chat } = await start({ rules: [{ error: { status: 429, headers } }] })
    expect((await failureOf(chat(request({ model }), NEVER))).retryAfterMs).toBe(expected)
  })
})

/** A server that answers every call with these events and then ends the response. */
async function serveEvents(events: string) {
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).end(events)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  started.push({ close: () => new Promise((resolve) => server.close(resolve)) })
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return createChatModel({ local: { baseUrl }, cloud: { baseUrl } })
}

describe('a stream that goes wrong', () => {
  const begun = 'data: {"choices":[{"index":0,"delta":{"content":"half an ans"}}]}\n\n'
  const message = '{"id":"m","role":"assistant","usage":{"input_tokens":1}}'
  const opened = `event: message_start\ndata: {"type":"message_start","message":${message}}\n\n`
  const block =
    'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n' +
    'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}\n\n'
  const overloaded =
    'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'

  it.each([
    [
      'ollama/small',
      'an error with a status',
      `${begun}data: {"error":{"message":"no","code":429}}\n\n`,
      'rate_limited',
    ],
    [
      'ollama/small',
      'an error without one',
      `${begun}data: {"error":{"message":"Context size has been exceeded."}}\n\n`,
      'context_overflow',
    ],
    ['ollama/small', 'no finish', begun, 'server_error'],
    ['ollama/small', 'no JSON', `${begun}data: oops\n\n`, 'server_error'],
    ['ollama/small', 'nothing', '', 'server_error'],
    ['claude-sonnet-4-6', 'an error at once', overloaded, 'overloaded'],
    ['claude-sonnet-4-6', 'an error later', opened + block + overloaded, 'overloaded'],
    ['claude-sonnet-4-6', 'no finish', opened + block, 'network'],
  ])('from %s with %s is a failure', async (model, _what, events, expected) => {
    const chat = await serveEvents(events)
    const failure = await failureOf(chat(request({ model }), NEVER))
    expect(failure.failure).toBe(expected)
  })
})

describe('a call to a local model', () => {
  it('tells how long the server loaded the model, where that is said', async () => {
    const { chat } = await start('rules: [{text: hi}]')
    expect(await chat(request(), NEVER)).not.toHaveProperty('loadMs')
    const piece = '{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]'
    const told = await serveEvents(`data: ${piece},"load_duration":1234567890}\n\n`)
    expect(await told(request(), NEVER)).toMatchObject({ text: 'hi', loadMs: 1235 })
  })

  it('may take as long as the request says, whatever others may', async () => {
    const { chat } = await start('rules: [{hang: true}]', { firstTokenMs: 600_000 })
    const failure = await failureOf(chat(request({ timeouts: { firstTokenMs: 20 } }), NEVER))
    expect(failure).toMatchObject({ failure: 'timeout_first_token' })
    expect(failure.message).toContain('within 20 ms')
  })

  it('goes out under the configured name with key, limits and schema, and is asked once', async () => {
    const { models, chat } = await start('rules: [{answer: {ok: true}}]')
    const answerSchema = { type: 'object', properties: { ok: { type: 'boolean' } } }
    await chat(request({ answerSchema, temperature: 0.2 }), NEVER)
    expect(models.calls()).toHaveLength(1)
    expect(models.calls()[0]!.body).toMatchObject({
      model: 'ollama/small',
      max_tokens: 1000,
      temperature: 0.2,
      response_format: { type: 'json_schema', json_schema: { schema: answerSchema } },
    })
  })

  it('does not take usage the server kept to itself for zero', async () => {
    const { chat } = await start('rules: [{usage: none, text: hi}]')
    expect((await chat(request(), NEVER)).usage).toEqual({
      inputTokens: null,
      outputTokens: null,
      cacheReadTokens: null,
      cacheWriteTokens: null,
    })
  })

  it('is told where to point it when no server is configured', async () => {
    const chat = createChatModel({ local: null, cloud: null })
    const local = await failureOf(chat(request(), NEVER))
    expect(local.message).toContain('LITELLM_BASE_URL')
    const cloud = await failureOf(chat(request({ model: 'claude-sonnet-4-6' }), NEVER))
    expect(cloud).toMatchObject({ failure: 'network' })
    expect(cloud.message).toContain('ANTHROPIC_API_KEY')
  })

  it('names host and port of a server that is not there', async () => {
    const { models, chat } = await start('rules: [{text: hi}]')
    await models.close()
    const failure = await failureOf(chat(request(), NEVER))
    expect(failure.failure).toBe('network')
    expect(failure.message).toContain(new URL(models.url).host)
    expect(failure.message).toContain('LITELLM_BASE_URL')
  })

  it('is refused credentials in the URL, without showing them', () => {
    const create = () =>
      createChatModel({ local: { baseUrl: 'http://me:secret@gpu-box:4000' }, cloud: null })
    expect(create).toThrow('LITELLM_BASE_URL: holds credentials; put the key into LITELLM_API_KEY')
    expect(create).not.toThrow('secret')
  })
})

describe('a call to a cloud model', () => {
  const model = 'claude-sonnet-4-6'

  it('sends no temperature and marks the system text for the prompt cache', async () => {
    const { models, chat } = await start('rules: [{text: hi}]')
    const first = await chat(request({ model, temperature: 0.2 }), NEVER)
    const second = await chat(request({ model }), NEVER)
    const { body } = models.calls()[0]!
    expect(body).not.toHaveProperty('temperature')
    expect(body.system).toEqual([
      { type: 'text', text: '# review\n\nIron laws', cache_control: { type: 'ephemeral' } },
    ])
    expect(first.usage.cacheWriteTokens).toBe(5)
    expect(second.usage).toMatchObject({ cacheReadTokens: 5, cacheWriteTokens: 0 })
    expect(second.usage.inputTokens).toBe(first.usage.inputTokens)
  })

  it('constrains an answer the decoder can hold, and never forces a tool', async () => {
    const { models, chat } = await start('rules: [{answer: {ok: true}}]')
    const closed = {
      type: 'object',
      properties: { ok: { type: 'boolean' } },
      required: ['ok'],
      additionalProperties: false,
    }
    await chat(request({ model, answerSchema: closed }), NEVER)
    await chat(request({ model, answerSchema: { type: 'object' } }), NEVER)
    const [constrained, open] = models.calls().map((call) => call.body)
    expect(constrained).toMatchObject({ output_config: { format: { type: 'json_schema' } } })
    expect(open).not.toHaveProperty('output_config')
    for (const body of [constrained, open]) expect(body).not.toHaveProperty('tool_choice')
  })

  it('waits for a spent budget until the date the text names', async () => {
    const proof = FAILURE_TABLE[0]!.proof
    const { chat } = await start({ rules: [{ error: { status: 400, body: proof.slice(4) } }] })
    const failure = await failureOf(chat(request({ model }), NEVER))
    expect(failure.retryAfterMs).toBeGreaterThan(365 * 24 * 3600 * 1000)
  })
})

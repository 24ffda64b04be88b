import { afterEach, describe, expect, it } from 'vitest'
import { parseScript } from './script.ts'
import { type SimulatedModels, startSimulatedModels } from './server.ts'

const started: SimulatedModels[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((models) => models.close()))
})

async function start(script: string): Promise<SimulatedModels> {
  const models = await startSimulatedModels({ script: parseScript(script, 'test.yaml') })
  started.push(models)
  return models
}

function ask(
  models: SimulatedModels,
  call: { skill?: string; model?: string; text?: string; stream?: boolean; turns?: number } & {
    signal?: AbortSignal
  },
): Promise<Response> {
  const { skill = 'review', model = 'small', text = 'the task', stream = false, turns = 0 } = call
  const past = Array.from({ length: turns }, () => ({ role: 'assistant', content: 'a turn' }))
  return fetch(`${models.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model,
      stream,
      messages: [
        { role: 'system', content: `You are careful.\n\n# ${skill}\n\nIron laws` },
        { role: 'user', content: text },
        ...past,
      ],
    }),
    ...(call.signal ? { signal: call.signal } : {}),
  })
}

async function textOf(response: Response): Promise<string> {
  const body = (await response.json()) as { choices: { message: { content: string } }[] }
  return body.choices[0]!.message.content
}

async function running(models: SimulatedModels): Promise<Record<string, string>> {
  const response = await fetch(`${models.url}/running`)
  const body = (await response.json()) as { running: { model: string; state: string }[] }
  return Object.fromEntries(body.running.map(({ model, state }) => [model, state]))
}

describe('choosing a reply', () => {
  const script = `
rules:
  - {skill: review, model: ollama/small, times: 1, text: first}
  - {skill: review, model: small, when: "secret \\\\d+", text: saw it}
  - {skill: review, text: any model}
`
  it('takes the first rule that fits, and a rule with times only so often', async () => {
    const models = await start(script)
    expect(await textOf(await ask(models, {}))).toBe('first')
    expect(await textOf(await ask(models, { text: 'a secret 42' }))).toBe('saw it')
    expect(await textOf(await ask(models, { text: 'no number' }))).toBe('any model')
    expect(await textOf(await ask(models, { model: 'ollama/other' }))).toBe('any model')
  })

  it('answers 404 with skill and model when no rule fits', async () => {
    const models = await start(script)
    const response = await ask(models, { skill: 'debug' })
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('no rule for skill \\"debug\\" and model \\"small\\"')
  })

  it('reads the turn from the request, and repeats the last one', async () => {
    const models = await start('rules: [{turns: [{text: one}, {answer: {done: true}}]}]')
    expect(await textOf(await ask(models, { turns: 0 }))).toBe('one')
    expect(await textOf(await ask(models, { turns: 1 }))).toBe('{"done":true}')
    expect(await textOf(await ask(models, { turns: 5 }))).toBe('{"done":true}')
  })

  it('embeds tool calls in the text when the request offers no tools', async () => {
    const models = await start(`
rules:
  - turns:
      - text: I look first.
        tool: read
        input: {path: a.js}
`)
    expect(await textOf(await ask(models, {}))).toBe(
      'I look first.\n<tool_call>\n{"name":"read","arguments":{"path":"a.js"}}\n</tool_call>',
    )
  })

  it('sends errors as scripted, raw or in the shape of the protocol', async () => {
    const models = await start(`
rules:
  - {skill: review, error: {status: 429, message: slow down, headers: {retry-after: "7"}}}
  - {skill: debug, error: {status: 503, body: plain words}}
`)
    const shaped = await ask(models, {})
    expect(shaped.status).toBe(429)
    expect(shaped.headers.get('retry-after')).toBe('7')
    expect(await shaped.json()).toMatchObject({ error: { message: 'slow down', code: '429' } })
    expect(await (await ask(models, { skill: 'debug' })).text()).toBe('plain words')
  })

  it('refuses a body that is no request', async () => {
    const models = await start(script)
    const post = (path: string, body: string) =>
      fetch(models.url + path, { method: 'POST', body }).then((response) => response.status)
    expect(await post('/v1/chat/completions', 'not JSON')).toBe(400)
    expect(await post('/v1/chat/completions', 'null')).toBe(400)
    expect(await post('/v1/messages', '{"model":"claude-a","messages":[]}')).toBe(400)
  })
})

describe('Anthropic messages without a stream', () => {
  async function askAnthropic(models: SimulatedModels, parts: object = {}) {
    const response = await fetch(`${models.url}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify({
        model: 'claude-sonnet-4-6',
        max_tokens: 100,
        system: [{ type: 'text', text: '# review', cache_control: { type: 'ephemeral' } }],
        messages: [{ role: 'user', content: [{ type: 'text', text: 'the task' }] }],
        ...parts,
      }),
    })
    return { status: response.status, body: await response.json() }
  }

  it('answers in blocks, with what the cache took and gave', async () => {
    const models = await start('rules: [{skill: review, reasoning: hm, text: hello}]')
    const first = await askAnthropic(models)
    expect(first.body).toMatchObject({
      type: 'message',
      content: [
        { type: 'thinking', thinking: 'hm' },
        { type: 'text', text: 'hello' },
      ],
      stop_reason: 'end_turn',
      usage: { input_tokens: 3, cache_creation_input_tokens: 2, cache_read_input_tokens: 0 },
    })
    const second = await askAnthropic(models)
    expect(second.body).toMatchObject({
      usage: { input_tokens: 3, cache_creation_input_tokens: 0, cache_read_input_tokens: 2 },
    })
  })

  it('calls tools natively when they are offered', async () => {
    const models = await start('rules: [{turns: [{tool: read, input: {path: a.js}}]}]')
    const { body } = await askAnthropic(models, { tools: [{ name: 'read', input_schema: {} }] })
    expect(body).toMatchObject({
      content: [{ type: 'tool_use', name: 'read', input: { path: 'a.js' } }],
      stop_reason: 'tool_use',
    })
  })

  it('gives its answer through the tool that Claude Code offers for it, in the last turn', async () => {
    const models = await start('rules: [{turns: [{tool: Read}, {answer: {message: hi}}]}]')
    const tools = ['Read', 'StructuredOutput'].map((name) => ({ name, input_schema: {} }))
    const [first, last] = [
      [{ role: 'user', content: 'the task' }],
      [
        { role: 'user', content: 'the task' },
        { role: 'system', content: 'a reminder' },
        { role: 'assistant', content: [{ type: 'tool_use', name: 'Read', input: {} }] },
      ],
    ].map((messages) => askAnthropic(models, { tools, messages }))
    expect(await first).toMatchObject({ body: { content: [{ name: 'Read' }] } })
    expect(await last).toMatchObject({
      body: { content: [{ name: 'StructuredOutput', input: { message: 'hi' } }] },
    })
  })

  it("sends errors in Anthropic's shape", async () => {
    const models = await start('rules: [{error: {status: 529, message: Overloaded}}]')
    expect(await askAnthropic(models)).toEqual({
      status: 529,
      body: {
        type: 'error',
        error: { type: 'overloaded_error', message: 'Overloaded' },
        request_id: 'req_simulated',
      },
    })
  })
})

describe('what a test can watch', () => {
  it('hands out calls as they arrive, with skill, model and body', async () => {
    const models = await start('rules: [{text: hi}]')
    const waited = models.waitForCall((call) => call.skill === 'debug')
    await ask(models, { skill: 'review' })
    await ask(models, { skill: 'debug', model: 'big' })
    expect(await waited).toMatchObject({ protocol: 'openai', skill: 'debug', model: 'big' })
    expect(models.calls().map((call) => call.skill)).toEqual(['review', 'debug'])
    expect(await models.calls()[0]!.ended).toBe('answered')
  })

  it('hangs until the client goes away, and tells that it went', async () => {
    const models = await start('rules: [{hang: true}]')
    const abort = new AbortController()
    const asked = ask(models, { signal: abort.signal })
    const call = await models.waitForCall(() => true)
    abort.abort()
    await expect(asked).rejects.toThrow('aborted')
    expect(await call.ended).toBe('closed')
  })

  it('drops the connection, or stalls in the middle of a stream', async () => {
    const models = await start(`
rules:
  - {skill: review, drop: true}
  - {skill: debug, text: ${'x'.repeat(450)}, stall_after_chunks: 2}
`)
    await expect(ask(models, {})).rejects.toThrow()
    const abort = new AbortController()
    const response = await ask(models, { skill: 'debug', stream: true, signal: abort.signal })
    const { value } = await response.body!.getReader().read()
    const seen = new TextDecoder().decode(value)
    expect(seen.match(/x{9,}/g)?.join('')).toHaveLength(400)
    expect(seen).not.toContain('[DONE]')
    abort.abort()
  })

  it('wakes those who wait for a call that never came when it closes', async () => {
    const models = await start('rules: [{hang: true}]')
    const waited = expect(models.waitForCall(() => true)).rejects.toThrow('closed')
    await models.close()
    await waited
  })
})

describe('the memory of the model server', () => {
  it('shows a model as starting while it loads and as ready after', async () => {
    const models = await start(`
memory_slots: 2
load_ms: {ollama/slow: 3600000, quick: 1}
rules: [{text: hi}]
`)
    expect(await running(models)).toEqual({})
    const abort = new AbortController()
    const slow = expect(ask(models, { model: 'slow', signal: abort.signal })).rejects.toThrow()
    await models.waitForCall(() => true)
    expect(await textOf(await ask(models, { model: 'ollama/quick' }))).toBe('hi')
    expect(await running(models)).toEqual({ slow: 'starting', quick: 'ready' })
    abort.abort()
    await slow
  })

  it('makes room for the newest, one at a time unless told otherwise', async () => {
    const models = await start('rules: [{text: hi}]')
    await ask(models, { model: 'small' })
    await ask(models, { model: 'big' })
    expect(await running(models)).toEqual({ big: 'ready' })
  })

  it('keeps as many models as it has slots, and no cloud models', async () => {
    const models = await start('memory_slots: 2\nrules: [{text: hi}]')
    for (const model of ['a', 'b', 'claude-sonnet-4-6', 'c']) await ask(models, { model })
    expect(await running(models)).toEqual({ b: 'ready', c: 'ready' })
  })

  it('lists configured models, loaded or not', async () => {
    const models = await start('load_ms: {b: 1}\nrules: [{model: ollama/a, text: hi}]')
    const response = await fetch(`${models.url}/v1/models`)
    expect(await response.json()).toMatchObject({ data: [{ id: 'a' }, { id: 'b' }] })
    expect(await (await fetch(`${models.url}/health`)).text()).toBe('OK')
  })
})

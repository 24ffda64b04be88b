import type { CallSettings } from '@hyperguild/core/backend.ts'
import { BACKEND_KINDS, type BackendKind } from '@hyperguild/core/backend-kinds.ts'
import type { CallTimeouts, ChatRequest } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { chatThrough } from './chat-model.ts'
import { type Endpoint, endpointsFor, withKey } from './endpoints.ts'
import { probeBackend } from './probe.ts'
import { isWarm } from './warm-state.ts'

const NEVER = new AbortController().signal
const CLOSED = {
  type: 'object',
  properties: { ok: { type: 'boolean' } },
  required: ['ok'],
  additionalProperties: false,
}
const READ = { name: 'read_file', description: 'Reads a file.', input: { type: 'object' } }
const PLACES = {
  litellmBaseUrl: undefined,
  litellmApiKey: undefined,
  localKind: 'litellm',
  anthropicApiKey: undefined,
  anthropicBaseUrl: undefined,
} as const

/** Kinds that hold models in memory and say so. */
const TELLING = ['ollama', 'llama-swap', 'lm-studio', 'llama-cpp'] as const
/** The name a model of the configuration has on the server. */
const servedBy = (kind: BackendKind) => (kind === 'litellm' ? 'ollama/small' : 'small')

interface Options {
  settings?: NonNullable<ModelsConfig['models']>[string]
  timeouts?: CallTimeouts
}

/** A simulated server of a kind, and the product's ways to it, as a configuration with that one backend has them. */
async function start(kind: BackendKind, script: string, { settings, timeouts }: Options = {}) {
  const text = script.includes('rules:') ? script : `rules: [{model: small, ${script}}]`
  const models = await startSimulatedModels({ script: parseScript(text, 'test.yaml'), kind })
  onTestFinished(() => models.close())
  const model = 'ollama/small'
  const config = {
    backends: { box: { kind, url: models.url, key_env: 'LITELLM_API_KEY' } },
    models: { [model]: { backend: 'box', ...settings } },
  }
  const places = { ...PLACES, litellmApiKey: 'the-key' }
  const endpointOf = endpointsFor(config, places, [model])
  const chat = chatThrough(endpointOf, timeouts ? { timeouts } : {})
  return {
    models,
    endpoint: endpointOf(model),
    ask: (parts: Partial<ChatRequest> = {}) =>
      chat(
        {
          model,
          system: '# review',
          messages: [{ role: 'user', text: 'the task' }],
          maxOutputTokens: 1000,
          ...parts,
        },
        NEVER,
      ),
  }
}

async function failureOf(call: Promise<unknown>): Promise<ModelFailure> {
  const error = await call.then(
    () => null,
    (reason) => reason,
  )
  if (error instanceof ModelFailure) return error
  throw new Error('not a ModelFailure', { cause: error })
}

/** A server that is gone, at an address that was its own. */
async function gone(kind: BackendKind): Promise<Endpoint> {
  const { models, endpoint } = await start(kind, 'text: hi')
  await models.close()
  return endpoint
}

describe.each(BACKEND_KINDS)('%s', (kind) => {
  test('answers under its own name for the model, without what the model thought', async () => {
    const { models, ask } = await start(
      kind,
      'reasoning: hidden, text: "<think>x</think>an answer"',
    )
    const reply = await ask()
    expect(reply).toMatchObject({ text: 'an answer', stop: 'end' })
    expect(reply.usage.inputTokens).toBe(Math.ceil('# review\nthe task'.length / 4))
    expect(models.calls().map((call) => call.model)).toEqual([servedBy(kind)])
  })

  test('carries a tool call and its result', async () => {
    const { models, ask } = await start(
      kind,
      'turns: [{tool: read_file, input: {path: a.js}}, {answer: {ok: true}}]',
    )
    const first = await ask({ tools: [READ] })
    expect(first).toMatchObject({ stop: 'tool_calls', toolCalls: [{ name: 'read_file' }] })
    const [call] = first.toolCalls
    const second = await ask({
      tools: [READ],
      messages: [
        { role: 'user', text: 'the task' },
        { role: 'assistant', text: '', toolCalls: first.toolCalls },
        { role: 'tool', callId: call!.id, toolName: 'read_file', text: 'text of a' },
      ],
    })
    expect(second.text).toBe('{"ok":true}')
    expect(models.calls()[1]!.promptText).toContain('text of a')
    for (const { body } of models.calls()) {
      expect(body).not.toHaveProperty('tool_choice.type', 'tool')
      expect(body).not.toHaveProperty('response_format')
    }
  })

  test('is asked for an answer of a shape, strictly only where that is understood', async () => {
    const { models, ask } = await start(kind, 'answer: {ok: true}')
    await ask({ answerSchema: CLOSED })
    await ask({ answerSchema: { type: 'object' } })
    const [closed, open] = models.calls().map(({ body }) => body)
    if (kind === 'anthropic') {
      expect(closed).toMatchObject({ output_config: { format: { type: 'json_schema' } } })
      expect(open).not.toHaveProperty('output_config')
      return
    }
    const strictIn = (body: unknown) =>
      (body as { response_format: { json_schema: { strict: boolean } } }).response_format
        .json_schema.strict
    expect(closed).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { schema: CLOSED } },
    })
    expect([strictIn(closed), strictIn(open)]).toEqual([kind === 'openai', false])
  })

  test('fails with a name when it refuses the key, and the probe names the setting', async () => {
    const { ask, endpoint } = await start(
      kind,
      'api_key: another\nrules: [{model: small, text: hi}]',
    )
    const failure = await failureOf(ask())
    expect(failure.failure).toBe('auth')
    expect(failure.message).toContain('LITELLM_API_KEY')
    const probe = await probeBackend(endpoint.backend)
    expect(probe).toMatchObject({ reachable: true, models: [] })
    expect(`${probe.problem}; ${probe.nextStep}`).toMatch(/refused the key; .*LITELLM_API_KEY/)
  })

  test('tells silence at the start from silence in the middle', async () => {
    const timeouts = { firstTokenMs: 10_000, stallMs: 30 }
    const stalls = await start(kind, `text: ${'x'.repeat(300)}, stall_after_chunks: 1`, {
      timeouts,
    })
    expect((await failureOf(stalls.ask())).failure).toBe('timeout_stall')
    const hangs = await start(kind, 'hang: true', { timeouts: { firstTokenMs: 30 } })
    expect((await failureOf(hangs.ask())).failure).toBe('timeout_first_token')
  })

  test('is seen with its models', async () => {
    const { endpoint } = await start(kind, 'text: hi')
    const probe = await probeBackend(endpoint.backend)
    expect(probe.problem).toBeUndefined()
    expect(probe.reachable).toBe(true)
    expect(probe.models.map(({ name }) => name.replace(/:latest$/, ''))).toEqual([servedBy(kind)])
  })

  test('is missed when it is not there, with what to do', async () => {
    const { backend } = await gone(kind)
    const probe = await probeBackend(backend)
    expect(probe).toMatchObject({ reachable: false, models: [] })
    expect(probe.problem).toContain(new URL(backend.url).host)
    expect(probe.nextStep).toContain('backends.box.url')
  })

  test('is looked at for no longer than it was given', async () => {
    const { endpoint } = await start(kind, 'text: hi')
    const probe = await probeBackend(endpoint.backend, { timeoutMs: 0 })
    expect(probe).toMatchObject({ reachable: false, problem: expect.stringContaining('in time') })
  })
})

describe.each(TELLING)('%s', (kind) => {
  test('is cold while the model loads and warm once it has loaded', async () => {
    const script =
      'memory_slots: 2\nload_ms: {slow: 3600000}\nrules: [{model: small, text: hi}, {text: hi}]'
    const { models, endpoint, ask } = await start(kind, script)
    if (kind !== 'llama-cpp') {
      await ask()
      const loading = expect(
        fetch(`${models.url}/v1/chat/completions`, {
          method: 'POST',
          body: JSON.stringify({ model: 'slow', messages: [] }),
        }).then((response) => response.text()),
      ).rejects.toThrow()
      await models.waitForCall((call) => call.model === 'slow')
      expect(await isWarm(endpoint, { timeoutMs: 5000 })).toBe(true)
      expect(await isWarm({ ...endpoint, servedName: 'slow' }, { timeoutMs: 5000 })).toBe(false)
      const { models: seen } = await probeBackend(endpoint.backend)
      expect(seen.find(({ name }) => name.startsWith('slow'))?.state).toBe('cold')
      await models.close()
      await loading
      return
    }
    expect(await isWarm(endpoint, { timeoutMs: 5000 })).toBe(false)
    expect(await probeBackend(endpoint.backend)).toMatchObject({ reachable: true, busy: true })
    const loaded = await start(kind, 'text: hi')
    expect(await isWarm(loaded.endpoint, { timeoutMs: 5000 })).toBe(true)
  })

  test('is cold when it does not answer', async () => {
    expect(await isWarm(await gone(kind))).toBe(false)
  })
})

test.each(['vllm', 'openai', 'anthropic'] as const)('%s is always warm', async (kind) => {
  const { endpoint } = await start(kind, 'text: hi')
  expect(await isWarm(endpoint, { timeoutMs: 5000 })).toBe(true)
})

test('litellm does not know, so llama-swap is asked under its own name for the model', async () => {
  const { endpoint } = await start('litellm', 'text: hi')
  const swap = await start('llama-swap', 'text: hi')
  const ask = () => isWarm(endpoint, { llamaSwapUrl: swap.models.url, timeoutMs: 5000 })
  expect(await isWarm(endpoint)).toBe(false)
  expect(await ask()).toBe(false)
  await swap.ask()
  expect(await ask()).toBe(true)
  const { models } = await probeBackend(endpoint.backend)
  expect(models).toEqual([{ name: 'ollama/small', state: 'unknown', contextTokens: 32_768 }])
})

describe('the context a model was loaded with is told by', () => {
  test.each([
    ['ollama', 4096],
    ['lm-studio', 32_768],
    ['llama-cpp', 32_768],
    ['vllm', 32_768],
  ] as const)('%s: %i', async (kind, contextTokens) => {
    const { endpoint, ask } = await start(kind, 'text: hi')
    await ask()
    const { models } = await probeBackend(endpoint.backend)
    expect(models[0]!.contextTokens).toBe(contextTokens)
  })
})

describe('a server that is too busy is overloaded or limits calls:', () => {
  test.each([
    ['ollama', 'overloaded'],
    ['llama-swap', 'rate_limited'],
    ['anthropic', 'overloaded'],
  ] as const)('%s', async (kind, expected) => {
    const script = 'parallel_calls: 1\nrules: [{times: 1, hang: true}, {text: hi}]'
    const { models, ask } = await start(kind, script)
    const first = expect(ask()).rejects.toThrow()
    await models.waitForCall(() => true)
    expect((await failureOf(ask())).failure).toBe(expected)
    await models.close()
    await first
  })

  test('llama-cpp while it loads, and its probe says so', async () => {
    const script = 'load_ms: {small: 3600000}\nrules: [{text: hi}]'
    const { ask, endpoint } = await start('llama-cpp', script)
    expect((await failureOf(ask())).failure).toBe('overloaded')
    expect(await probeBackend(endpoint.backend)).toMatchObject({ reachable: true, busy: true })
  })

  test('llama-cpp with every slot taken is busy and still warm', async () => {
    const { models, ask, endpoint } = await start('llama-cpp', 'hang: true')
    const call = expect(ask()).rejects.toThrow()
    await models.waitForCall(() => true)
    const probe = await probeBackend(endpoint.backend)
    expect(probe).toMatchObject({ busy: true, models: [{ state: 'warm' }] })
    await models.close()
    await call
  })
})

test.each(['ollama', 'llama-cpp', 'llama-swap', 'vllm', 'litellm'] as const)(
  '%s without tools is told from a bad request, and the setting is named',
  async (kind) => {
    const { ask } = await start(kind, 'toolless: [small]\nrules: [{text: hi}]')
    const failure = await failureOf(ask({ tools: [READ] }))
    expect(failure.failure).toBe('tools_unsupported')
    expect(failure.message).toContain('write tools: text under models.ollama/small in models.yaml')
    expect((await ask()).text).toBe('hi')
  },
)

test('anthropic says when a spent budget opens again', async () => {
  const message =
    'You have reached your specified API usage limits. You will regain access on 2099-01-01.'
  const { ask } = await start('anthropic', `error: {status: 400, message: "${message}"}`)
  const failure = await failureOf(ask())
  expect(failure.failure).toBe('budget_exhausted')
  expect(failure.retryAfterMs).toBeGreaterThan(1e9)
})

test('what llama-swap writes while it loads is no word of the model', async () => {
  const script = 'load_ms: {small: 3600000}\nrules: [{text: hi}]'
  const timeouts = { firstTokenMs: 200, stallMs: 20 }
  const { ask } = await start('llama-swap', script, { timeouts })
  expect((await failureOf(ask())).failure).toBe('timeout_first_token')
  const loaded = await start('llama-swap', 'load_ms: {small: 1}\nrules: [{text: hi}]')
  expect((await loaded.ask()).text).toBe('hi')
})

test('ollama cuts long prompts in silence, which the count of tokens shows', async () => {
  const { ask } = await start('ollama', 'text: hi')
  const { usage } = await ask({ messages: [{ role: 'user', text: 'word '.repeat(10_000) }] })
  expect(usage.inputTokens).toBe(4096)
})

describe('how much a model thinks is asked of', () => {
  type Sent = Record<string, unknown>
  const off = { reasoning: 'off' } as const
  const hard = { reasoning: 'on', effort: 'high' } as const
  test.each<[BackendKind, Partial<CallSettings>, Sent]>([
    ['litellm', off, { reasoning_effort: 'none' }],
    ['ollama', off, { reasoning_effort: 'none' }],
    ['ollama', { reasoning: 'on' }, { reasoning_effort: 'medium' }],
    ['lm-studio', hard, { reasoning_effort: 'high' }],
    ['llama-cpp', off, { chat_template_kwargs: { enable_thinking: false } }],
    [
      'llama-swap',
      hard,
      { chat_template_kwargs: { enable_thinking: true, reasoning_effort: 'high' } },
    ],
    ['vllm', off, { chat_template_kwargs: { enable_thinking: false } }],
    ['vllm', { effort: 'low' }, { reasoning_effort: 'low' }],
    ['openai', { effort: 'xhigh' }, { reasoning_effort: 'xhigh' }],
    ['anthropic', { effort: 'low' }, { output_config: { effort: 'low' } }],
    ['anthropic', off, { thinking: { type: 'disabled' } }],
  ])('%s with %j by %j', async (kind, settings, sent) => {
    const set = settings as NonNullable<Options['settings']>
    const { models, ask } = await start(kind, 'text: hi', {
      settings: { ...set, ...(kind === 'anthropic' ? { served_name: 'claude-sonnet-4-6' } : {}) },
    })
    await ask().catch(() => {})
    expect(models.calls()[0]!.body).toMatchObject(sent)
  })

  test.each(BACKEND_KINDS)('%s in no way when nothing is set', async (kind) => {
    const { models, ask } = await start(kind, 'text: hi')
    await ask()
    for (const field of ['reasoning_effort', 'chat_template_kwargs', 'output_config', 'thinking']) {
      expect(models.calls()[0]!.body).not.toHaveProperty(field)
    }
  })
})

describe('a temperature is sent', () => {
  test.each<[BackendKind, number | undefined, number | undefined]>([
    ['ollama', undefined, 0.2],
    ['ollama', 0.7, 0.7],
    ['openai', undefined, undefined],
    ['openai', 1, 1],
    ['anthropic', 0.7, undefined],
  ])('to %s with %s set as %s', async (kind, temperature, sent) => {
    const settings = temperature === undefined ? {} : { temperature }
    const { models, ask } = await start(kind, 'text: hi', { settings })
    await ask({ temperature: 0.2 })
    expect(models.calls()[0]!.body.temperature).toBe(sent)
  })
})

test('openai is given its own name for the limit of tokens', async () => {
  const { models, ask } = await start('openai', 'text: hi')
  await ask()
  expect(models.calls()[0]!.body).toMatchObject({ max_completion_tokens: 1000 })
  expect(models.calls()[0]!.body).not.toHaveProperty('max_tokens')
})

test('a product that is not the one that was named is told as such', async () => {
  const { endpoint } = await start('ollama', 'text: hi')
  const probe = await probeBackend({ ...endpoint.backend, kind: 'llama-swap' })
  expect(probe).toMatchObject({ reachable: true, problem: expect.stringContaining('no /running') })
  expect(probe.nextStep).toContain('llama-swap')
})

test('the former list of LM Studio is read too', async () => {
  const { createServer } = await import('node:http')
  const models = [
    { id: 'small', state: 'loaded', loaded_context_length: 8192 },
    { id: 'big', state: 'not-loaded' },
  ]
  const server = createServer((req, res) => {
    if (req.url === '/api/v0/models') res.end(JSON.stringify({ data: models }))
    else res.writeHead(404).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const { endpoint } = await start('lm-studio', 'text: hi')
  const probe = await probeBackend({ ...endpoint.backend, url: `http://127.0.0.1:${port}` })
  expect(probe.models).toEqual([
    { name: 'small', state: 'warm', contextTokens: 8192 },
    { name: 'big', state: 'cold', contextTokens: null },
  ])
})

test('a worker refuses models it does not serve, and one without its key', () => {
  const config = {
    backends: { box: { kind: 'ollama', url: 'http://box:1', key_env: 'NO_SUCH_KEY' } },
  } as const
  const endpointOf = endpointsFor(config, PLACES, ['ollama/small'])
  expect(() => endpointOf('ollama/other')).toThrow('does not serve it')
  expect(() => endpointOf('ollama/small')).toThrow(
    'the key of backend box is missing; set NO_SUCH_KEY',
  )
})

test('a backend without key_env is sent no key', () => {
  const backend = { ...PLACES, name: 'b', kind: 'ollama', url: 'http://b:1', keyEnv: null } as const
  const rest = {
    needsKey: false,
    urlSetting: '',
    parallelCalls: null,
    memorySlots: null,
    contextTokens: null,
  }
  const places = { ...PLACES, litellmApiKey: 'secret', anthropicApiKey: 'secret' }
  expect(withKey({ ...backend, ...rest }, places).apiKey).toBeUndefined()
})

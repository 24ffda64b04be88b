import { describe, expect, test } from 'vitest'
import {
  type BackendDefaults,
  backendsServing,
  isSameModel,
  resolveModel,
  type ServingConfig,
} from './backend.ts'

const litellm = { litellmBaseUrl: 'http://gateway:4000' }

function resolve(model: string, config: ServingConfig = {}, defaults: BackendDefaults = litellm) {
  const resolved = resolveModel(config, defaults, model)
  if (!resolved.ok) return resolved.problem
  const { backend, servedName } = resolved.value
  return { kind: backend.kind, url: backend.url, keyEnv: backend.keyEnv, servedName }
}

const ollama = { kind: 'ollama', url: 'http://gpu-box:11434' } as const
const swap = { kind: 'llama-swap', url: 'http://gpu-box:8080', key_env: 'SWAP_KEY' } as const

describe('without backends', () => {
  test('a local name goes to LITELLM_BASE_URL as it is written', () => {
    expect(resolve('ollama/devstral')).toEqual({
      kind: 'litellm',
      url: 'http://gateway:4000',
      keyEnv: 'LITELLM_API_KEY',
      servedName: 'ollama/devstral',
    })
  })

  test('whatever it begins with', () => {
    expect(resolve('local/devstral')).toMatchObject({ servedName: 'local/devstral' })
  })

  test('another kind of server at LITELLM_BASE_URL is sent its own names', () => {
    const defaults = { ...litellm, localKind: 'ollama' } as const
    expect(resolve('ollama/devstral', {}, defaults)).toMatchObject({
      kind: 'ollama',
      servedName: 'devstral',
    })
  })

  test('claude-* goes to Anthropic, or where ANTHROPIC_BASE_URL points', () => {
    expect(resolve('claude-sonnet-4-6')).toEqual({
      kind: 'anthropic',
      url: 'https://api.anthropic.com',
      keyEnv: 'ANTHROPIC_API_KEY',
      servedName: 'claude-sonnet-4-6',
    })
    const defaults = { anthropicBaseUrl: 'http://proxy:1' }
    expect(resolve('claude-sonnet-4-6', {}, defaults)).toMatchObject({ url: 'http://proxy:1' })
  })

  test('a local name without LITELLM_BASE_URL is told what to set', () => {
    expect(resolve('ollama/devstral', {}, {})).toContain('set LITELLM_BASE_URL')
  })
})

describe('with backends', () => {
  test('the one of the model’s settings comes first', () => {
    const config: ServingConfig = {
      backends: { box: ollama, ollama: swap },
      models: { 'ollama/devstral': { backend: 'box', served_name: 'devstral:24b' } },
    }
    expect(resolve('ollama/devstral', config)).toMatchObject({
      url: ollama.url,
      servedName: 'devstral:24b',
    })
  })

  test('then the one the name starts with, which is no part of the served name', () => {
    const backends = { box: ollama, swap }
    expect(resolve('swap/devstral', { backends })).toEqual({
      kind: 'llama-swap',
      url: swap.url,
      keyEnv: 'SWAP_KEY',
      servedName: 'devstral',
    })
  })

  test('then LITELLM_BASE_URL for local names', () => {
    expect(resolve('ollama/devstral', { backends: { box: ollama } })).toMatchObject({
      kind: 'litellm',
      servedName: 'ollama/devstral',
    })
  })

  test('or, without it, the only local one, which is sent its own name and no foreign key', () => {
    const backends = { box: ollama, claude: { kind: 'anthropic' } } as const
    expect(resolve('ollama/devstral', { backends }, {})).toEqual({
      kind: 'ollama',
      url: ollama.url,
      keyEnv: null,
      servedName: 'devstral',
    })
  })

  test('of several local ones one must be named', () => {
    expect(resolve('ollama/devstral', { backends: { box: ollama, swap } }, {})).toBe(
      'it is not said who serves it; write models.ollama/devstral.backend: box or swap',
    )
  })

  test('the only anthropic one serves claude-*', () => {
    const backends = { work: { kind: 'anthropic', key_env: 'WORK_KEY' } } as const
    expect(resolve('claude-sonnet-4-6', { backends })).toMatchObject({ keyEnv: 'WORK_KEY' })
  })

  test('claude-* may be served by LiteLLM too', () => {
    const config: ServingConfig = {
      backends: { gate: { kind: 'litellm', url: 'http://gate:4000' } },
      models: { 'claude-sonnet-4-6': { backend: 'gate' } },
    }
    expect(resolve('claude-sonnet-4-6', config)).toMatchObject({
      kind: 'litellm',
      servedName: 'claude-sonnet-4-6',
    })
  })
})

test('settings of the model win over those of its backend, and what nobody said is null', () => {
  const config = {
    backends: { box: { ...ollama, context: 8192 } },
    models: { 'box/a': { context: 65_536, reasoning: 'off' } },
  } as const
  const settingsOf = (model: string) => {
    const resolved = resolveModel(config, {}, model)
    return resolved.ok ? resolved.value.settings : resolved.problem
  }
  expect(settingsOf('box/a')).toEqual({
    contextTokens: 65_536,
    effort: null,
    temperature: null,
    reasoning: 'off',
    tools: null,
  })
  expect(settingsOf('box/b')).toMatchObject({ contextTokens: 8192, reasoning: null })
})

test('the backends of a few models are listed once each', () => {
  const config = { backends: { box: ollama } }
  const names = backendsServing(config, {}, ['ollama/a', 'ollama/b', 'claude-x']).map((b) => b.name)
  expect(names).toEqual(['box', 'anthropic'])
})

test.each([
  ['devstral', 'devstral:latest', true],
  ['ollama/devstral', 'devstral', true],
  ['devstral:24b', 'devstral', false],
])('%s and %s are the same model: %s', (a, b, same) => {
  expect(isSameModel(a, b)).toBe(same)
})

test('who does the work is said for a model, or for all models of its backend', () => {
  const config: ServingConfig = {
    backends: { work: { kind: 'anthropic', executor: 'claude-code' } },
    models: { 'claude-b': { executor: 'api' } },
  }
  const executorOf = (model: string, from: ServingConfig) => {
    const resolved = resolveModel(from, {}, model)
    return resolved.ok ? resolved.value.executor : resolved.problem
  }
  expect(executorOf('claude-a', config)).toBe('claude-code')
  expect(executorOf('claude-b', config)).toBe('api')
  expect(executorOf('claude-a', {})).toBeNull()
})

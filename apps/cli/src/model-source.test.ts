import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import type { FoundServer } from '@hyperguild/io/models/discover.ts'
import { describe, expect, test } from 'vitest'
import { chooseModelSource } from './model-source.ts'
import { claudeLines, sourceLines } from './start.ts'

const config: ModelsConfig = {
  verifier: 'claude-sonnet-4-6',
  default_chain: ['ollama/small', 'ollama/big', 'claude-sonnet-4-6'],
  skills: {},
}
const ollama: FoundServer = {
  kind: 'ollama',
  url: 'http://127.0.0.1:11434',
  models: ['small:latest', 'other:7b'],
  wantsKey: false,
}
const key = { ANTHROPIC_API_KEY: 'key' }

function choose(
  variables: Record<string, string>,
  found: readonly FoundServer[] = [],
  own: Partial<ModelsConfig> = {},
) {
  const find = async () => [...found]
  return chooseModelSource({ ...config, ...own }, readEnvironment(variables), find)
}

describe('configured models are used', () => {
  test.each<[string, Record<string, string>, Partial<ModelsConfig>]>([
    ['by LITELLM_BASE_URL', { LITELLM_BASE_URL: 'http://gate:4000' }, {}],
    ['by backends', {}, { backends: { box: { kind: 'ollama', url: 'http://box:11434' } } }],
  ])('%s, and nobody searches', async (_, variables, own) => {
    const find = () => Promise.reject(new Error('searched'))
    const source = await chooseModelSource({ ...config, ...own }, readEnvironment(variables), find)
    expect(source).toEqual({ kind: 'configured' })
  })

  test('by a cloud key alone', async () => {
    expect(await choose(key)).toEqual({ kind: 'configured' })
    expect(await choose(key, [{ ...ollama, models: ['other:7b'] }])).toEqual({ kind: 'configured' })
  })
})

test('Claude Code with access of its own is as good as a cloud key', async () => {
  const claude = { HYPERGUILD_CLAUDE_PATH: process.execPath, CLAUDE_CODE_OAUTH_TOKEN: 'token' }
  expect(await choose(claude)).toEqual({ kind: 'configured' })
  expect(await choose(claude, [ollama])).toMatchObject({ kind: 'found' })
  expect(claudeLines(config, readEnvironment(claude))).toEqual([
    '  Claude Code    does the work of claude-sonnet-4-6',
  ])
  expect(claudeLines(config, readEnvironment({ ...claude, ...key }))).toEqual([])
})

describe('a server that was found', () => {
  test('is used when it has a model of models.yaml and the verifier can be called', async () => {
    const source = await choose(key, [ollama])
    expect(source).toEqual({ kind: 'found', server: ollama })
    expect(sourceLines(source, config)).toEqual([
      'Nothing says where local models are, so the ollama at http://127.0.0.1:11434 is used: it has ollama/small.',
      'Set LITELLM_BASE_URL=http://127.0.0.1:11434 and HYPERGUILD_LOCAL_KIND=ollama to keep it so.',
    ])
  })

  test('is used when it has the verifier itself', async () => {
    const source = await choose({}, [ollama], { verifier: 'ollama/small' })
    expect(source).toMatchObject({ kind: 'found' })
  })

  test('is not used when nobody could judge its results', async () => {
    const source = await choose({}, [ollama])
    expect(source).toMatchObject({ kind: 'simulated', found: [ollama] })
    expect(sourceLines(source, config)[1]).toContain('set ANTHROPIC_API_KEY')
  })

  test('is not used when it has none of the models', async () => {
    const source = await choose({}, [{ ...ollama, models: ['other:7b'] }])
    expect(source).toMatchObject({ kind: 'simulated', why: expect.stringContaining('none of its') })
  })
})

test('models are simulated when there is nothing at all', async () => {
  const source = await choose({})
  expect(source).toMatchObject({ kind: 'simulated', found: [] })
  expect(sourceLines(source, config)).toEqual([expect.stringContaining('SIMULATED')])
})

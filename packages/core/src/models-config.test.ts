import { describe, expect, test } from 'vitest'
import { RequestError } from './errors.ts'
import {
  baselineFor,
  chainFor,
  contradictionsIn,
  type ModelsConfig,
  modelsConfigSchema,
  modelsNamedIn,
  queueClashesIn,
  verifyModeFor,
} from './models-config.ts'

const config: ModelsConfig = {
  verifier: 'claude-sonnet-4-6',
  default_chain: ['ollama/qwen', 'claude-sonnet-4-6'],
  skills: {
    review: { chain: ['ollama/devstral', 'claude-sonnet-4-6'] },
    tdd: { chain: ['ollama/qwen', 'claude-opus-4-6'] },
    tdd_red: { chain: ['ollama/phi4'] },
  },
}

describe('three layers choose the chain:', () => {
  test('the model of the call comes first', () => {
    const skill = { name: 'review', family: 'review' }
    expect(chainFor(config, skill, 'ollama/phi4')).toEqual(['ollama/phi4'])
  })

  test('then the chain of the skill', () => {
    expect(chainFor(config, { name: 'review', family: 'review' }, undefined)).toEqual([
      'ollama/devstral',
      'claude-sonnet-4-6',
    ])
  })

  test('of which the tool name wins over its family', () => {
    const chainOf = (name: string) => chainFor(config, { name, family: 'tdd' }, undefined)
    expect(chainOf('tdd_red')).toEqual(['ollama/phi4'])
    expect(chainOf('tdd_green')).toEqual(['ollama/qwen', 'claude-opus-4-6'])
  })

  test('then default_chain', () => {
    expect(chainFor(config, { name: 'debug', family: 'debug' }, undefined)).toEqual([
      'ollama/qwen',
      'claude-sonnet-4-6',
    ])
  })
})

describe('a job is compared with', () => {
  test.each([
    ['the configured baseline', { baseline: 'claude-opus-5-5' }, ['claude-a'], 'claude-opus-5-5'],
    [
      'else the last cloud model of its chain',
      {},
      ['ollama/b', 'claude-a', 'claude-b'],
      'claude-b',
    ],
    ['else the verifier', {}, ['ollama/b'], 'claude-sonnet-4-6'],
  ])('%s', (_, changes, chain, baseline) => {
    expect(baselineFor({ ...config, ...changes }, chain)).toBe(baseline)
  })
})

describe('a skill may say who must be satisfied:', () => {
  const own: ModelsConfig = {
    ...config,
    skills: {
      tdd: { verify: 'evidence' },
      tdd_red: { verify: 'both' },
      review: { chain: ['ollama/devstral'] },
    },
  }

  test('by tool name, then by family, else nothing is said', () => {
    const modeOf = (name: string, family: string) => verifyModeFor(own, { name, family })
    expect(modeOf('tdd_red', 'tdd')).toBe('both')
    expect(modeOf('tdd_green', 'tdd')).toBe('evidence')
    expect(modeOf('review', 'review')).toBeUndefined()
  })

  test('and keeps the chain of its family, or the default one', () => {
    const chainOf = (skills: ModelsConfig['skills']) =>
      chainFor({ ...own, skills }, { name: 'tdd_red', family: 'tdd' }, undefined)
    expect(chainOf(own.skills)).toEqual(own.default_chain)
    const family = { ...own.skills, tdd: { chain: ['ollama/phi4'] } }
    expect(chainOf(family)).toEqual(['ollama/phi4'])
  })
})

test('the verifier may be pinned too', () => {
  const only = { ...config, default_chain: ['ollama/qwen'], skills: {} }
  const skill = { name: 'debug', family: 'debug' }
  expect(chainFor(only, skill, 'claude-sonnet-4-6')).toEqual(['claude-sonnet-4-6'])
})

test('a model the configuration does not name is refused with the ones it does', () => {
  const pin = () => chainFor(config, { name: 'debug', family: 'debug' }, 'gpt-9')
  expect(pin).toThrow(RequestError)
  expect(pin).toThrow(
    'model: "gpt-9" is not in models.yaml; use one of ollama/qwen, claude-sonnet-4-6, ollama/devstral, claude-opus-4-6, ollama/phi4, or leave model out',
  )
})

test('the models of a configuration are listed once each, the verifier among them', () => {
  const verifier = 'claude-haiku-4-6'
  expect(modelsNamedIn({ ...config, verifier })).toEqual([
    'ollama/qwen',
    'claude-sonnet-4-6',
    'ollama/devstral',
    'claude-opus-4-6',
    'ollama/phi4',
    verifier,
  ])
})

test('names that would share a queue are told, wherever the later one stands', () => {
  expect(queueClashesIn(config)).toEqual([])
  const clashing = {
    ...config,
    verifier: 'ollama/qwen:7b',
    skills: { review: { chain: ['devstral', 'qwen', 'qwen-7b'] } },
  }
  expect(queueClashesIn(clashing)).toEqual([
    {
      path: ['skills', 'review', 'chain', 1],
      problem: 'qwen and ollama/qwen would share the queue local.qwen; use one name',
    },
    {
      path: ['verifier'],
      problem: 'ollama/qwen:7b and qwen-7b would share the queue local.qwen-7b; use one name',
    },
  ])
})

test('Claude Code can be given the claude-* models of Anthropic, and nothing else', () => {
  const models = { 'ollama/qwen': { executor: 'claude-code' } } as const
  expect(contradictionsIn({ ...config, models })).toMatchObject([
    { path: ['models', 'ollama/qwen', 'executor'] },
  ])
  const own = { 'claude-sonnet-4-6': { executor: 'claude-code' } } as const
  expect(contradictionsIn({ ...config, models: own })).toEqual([])

  const withKind = (kind: string) =>
    modelsConfigSchema.safeParse({
      ...config,
      backends: { work: { kind, url: 'http://work', executor: 'claude-code' } },
    }).success
  expect([withKind('anthropic'), withKind('litellm')]).toEqual([true, false])
})

import { expect, test } from 'vitest'
import { callLimitsOf, parallelCallsOf } from './call-limits.ts'

const config = {
  backends: {
    'gpu-box': { kind: 'ollama', url: 'http://gpu-box:11434', parallel_calls: 2 },
  },
  models: {
    'ollama/small': { parallel_calls: 4, tokens_per_minute: 1000 },
    'claude-big': { requests_per_minute: 50 },
  },
} as const

test('a model is under its own limits and those of its backend', () => {
  expect(callLimitsOf(config, {}, 'ollama/small')).toEqual([
    {
      scope: 'model:ollama/small',
      parallelCalls: 4,
      requestsPerMinute: null,
      tokensPerMinute: 1000,
    },
    { scope: 'backend:gpu-box', parallelCalls: 2, requestsPerMinute: null, tokensPerMinute: null },
  ])
})

test('where nobody set a limit there is none', () => {
  expect(callLimitsOf({}, {}, 'ollama/small')).toEqual([])
  expect(callLimitsOf(config, {}, 'claude-big').map(({ scope }) => scope)).toEqual([
    'model:claude-big',
  ])
})

test('the smaller number of parallel calls counts', () => {
  expect(parallelCallsOf(config, {}, 'ollama/small')).toBe(2)
  expect(parallelCallsOf(config, {}, 'claude-big')).toBeNull()
})

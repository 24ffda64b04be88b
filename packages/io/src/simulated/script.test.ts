import { readFile } from 'node:fs/promises'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { describe, expect, it } from 'vitest'
import { parseScript } from './script.ts'

function problemsOf(text: string): readonly string[] {
  try {
    parseScript(text, 'script.yaml')
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a simulation script', () => {
  it('names models with or without the prefix LiteLLM uses', () => {
    const script = parseScript(
      'load_ms: {ollama/a: 5}\nrules: [{model: ollama/a, text: hi}, {model: a, text: hi}]',
      'script.yaml',
    )
    expect(script.rules.map((rule) => rule.model)).toEqual(['a', 'a'])
    expect(script.load_ms.get('a')).toBe(5)
  })

  it('of the guide is valid', async () => {
    const guide = new URL('../../../../docs/guides/simulated-models.md', import.meta.url)
    const [, example] = /```yaml\n([\s\S]*?)```/.exec(await readFile(guide, 'utf8')) ?? []
    expect(parseScript(example ?? '', 'guide').rules).toHaveLength(5)
  })

  it.each([
    [
      'an unknown key',
      'rules:\n  - skil: review\n    text: hi',
      'script.yaml:2: rules.0.skil: unknown key; did you mean skill?',
    ],
    [
      'no reply',
      'rules:\n  - skill: review',
      /^script\.yaml:2: rules\.0: a rule needs exactly one of/,
    ],
    [
      'two replies',
      'rules:\n  - text: a\n    hang: true',
      /^script\.yaml:2: rules\.0: a rule needs exactly one of/,
    ],
    [
      'an empty turn',
      'rules:\n  - turns:\n      - {}',
      /^script\.yaml:3: rules\.0\.turns\.0: a turn needs/,
    ],
    [
      'a bad pattern',
      'rules:\n  - when: "("\n    text: a',
      /^script\.yaml:2: rules\.0\.when: not a regular/,
    ],
    ['no rules', 'memory_slots: 1', /^script\.yaml:1: rules: /],
  ])('refuses %s and says where', (_what, text, problem) => {
    expect(problemsOf(text)).toContainEqual(
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    )
  })
})

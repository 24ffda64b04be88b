import { ConfigError } from '@hyperguild/core/errors.ts'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { checkYaml, parseYaml, readYaml } from './parse-yaml.ts'

const schema = z.strictObject({
  name: z.string().describe('the name of it'),
  limits: z.strictObject({ calls: z.number().positive() }).optional(),
  mode: z.enum(['slow', 'fast']).optional(),
  rules: z.record(z.string(), z.array(z.strictObject({ when: z.string() }))).default({}),
})

function problemsOf(text: string): readonly string[] {
  try {
    parseYaml(schema, text, 'a.yaml')
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('parseYaml', () => {
  it('returns what the schema makes of the text', () => {
    expect(parseYaml(schema, 'name: a\nlimits: {calls: 2}', 'a.yaml')).toEqual({
      name: 'a',
      limits: { calls: 2 },
      rules: {},
    })
  })

  it('names file, line and key of every problem at once', () => {
    expect(problemsOf('name: a\n\nlimits:\n  calls: -1\n  retries: 3\n')).toEqual([
      expect.stringMatching(/^a\.yaml:4: limits\.calls: /),
      'a.yaml:5: limits.retries: unknown key',
    ])
  })

  it('points at the key above a missing one, and says what to write where the schema tells', () => {
    expect(problemsOf('\nlimits:\n  {}\n')).toEqual([
      'a.yaml:1: name: is missing; write the name of it',
      'a.yaml:2: limits.calls: is missing',
    ])
  })

  it('treats an empty file as one without keys', () => {
    expect(problemsOf('')).toEqual(['a.yaml:1: name: is missing; write the name of it'])
  })

  it('suggests the known key that is nearest, at any depth', () => {
    const text = 'nam: a\nname: a\nrules:\n  x:\n    - when: a\n    - wen: b\n      when: b\n'
    expect(problemsOf(text)).toEqual([
      'a.yaml:1: nam: unknown key; did you mean name?',
      'a.yaml:6: rules.x.1.wen: unknown key; did you mean when?',
    ])
  })

  it('says in plain words which type or value a key wants', () => {
    expect(problemsOf('name: 1\nlimits: 2\nmode: slw\nrules:\n')).toEqual([
      'a.yaml:1: name: must be text',
      'a.yaml:2: limits: must be a group of keys',
      'a.yaml:3: mode: must be one of slow, fast; did you mean slow?',
      'a.yaml:4: rules: must be a group of keys',
    ])
  })

  it('names the line of broken YAML', () => {
    expect(problemsOf('name: a\nlimits: {calls: 1\n')).toEqual([
      expect.stringMatching(/^a\.yaml:[23]: bad YAML: /),
    ])
  })

  it.each([
    ['name: *gone', 'a.yaml:1: bad YAML: *gone stands for nothing'],
    ['name: !secret a', 'a.yaml:1: bad YAML: Unresolved tag: !secret'],
    ['name: a\n---\nname: b', expect.stringMatching(/^a\.yaml:2: bad YAML: .*multiple documents/)],
    ['name: a\nlimits:\n\tcalls: 1', expect.stringMatching(/^a\.yaml:3: bad YAML: Tabs/)],
  ])('refuses %j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  it('names a key that is written twice by its whole path, together with all else', () => {
    const text = 'name: a\nrules:\n  x: []\n  y: []\n  x: []\nlimit: 1\n'
    expect(problemsOf(text)).toEqual([
      'a.yaml:5: rules.x: is written twice; keep one',
      'a.yaml:6: limit: unknown key; did you mean limits?',
    ])
  })

  it('finds lines behind an anchor', () => {
    expect(problemsOf('name: a\nrules:\n  x: &x\n    - wen: b\n  y: *x\n')).toContain(
      'a.yaml:4: rules.y.0.wen: unknown key; did you mean when?',
    )
  })
})

it('counts lines from where the YAML starts in its file', () => {
  const checked = checkYaml(schema, readYaml('name: a\nnome: b\n', 'a.md', 2))
  expect(checked).toEqual({
    ok: false,
    problems: ['a.md:3: nome: unknown key; did you mean name?'],
  })
})

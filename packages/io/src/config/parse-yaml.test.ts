import { ConfigError } from '@hyperguild/core/errors.ts'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { parseYaml } from './parse-yaml.ts'

const schema = z.strictObject({
  name: z.string(),
  limits: z.strictObject({ calls: z.number().positive() }).optional(),
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
    })
  })

  it('names file, line and key of every problem at once', () => {
    expect(problemsOf('name: a\n\nlimits:\n  calls: -1\n  retries: 3\n')).toEqual([
      expect.stringMatching(/^a\.yaml:4: limits\.calls: /),
      'a.yaml:5: limits.retries: unknown key',
    ])
  })

  it('points at the nearest parent of a missing key', () => {
    expect(problemsOf('\nlimits:\n  {}\n')).toEqual([
      expect.stringMatching(/^a\.yaml:\d+: name: /),
      expect.stringMatching(/^a\.yaml:3: limits\.calls: /),
    ])
  })

  it('names the line of broken YAML', () => {
    expect(problemsOf('name: a\nlimits: {calls: 1\n')[0]).toMatch(/^a\.yaml:[23]: /)
  })
})

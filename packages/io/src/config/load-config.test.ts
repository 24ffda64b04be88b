import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { NO_USAGE } from '@hyperguild/core/chat.ts'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { type JsonSchema, zodFrom } from '@hyperguild/core/json-schema.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import { chainFor, modelsNamedIn } from '@hyperguild/core/models-config.ts'
import { priceOf } from '@hyperguild/core/price.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkConfig, loadConfig } from './load-config.ts'

const shipped = resolve(import.meta.dirname, '../../../../config')
const places = {
  configDir: shipped,
  modelsFile: join(shipped, 'models.yaml'),
  pricesFile: join(shipped, 'prices.yaml'),
  llamaSwapUrl: undefined,
}

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hg-config-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

describe('the shipped configuration', () => {
  const config = loadConfig(places)
  const skills = [...config.skills.values()]
  const byName = skills.map((skill) => [skill.name, skill] as const)

  test('has no problems', () => {
    expect(checkConfig(places)).toEqual([])
  })

  test('offers the tools of the contract with exactly their arguments', () => {
    const argumentsOf = ({ name, input }: Skill) => {
      const required = (input.required ?? []) as string[]
      const optional = Object.keys(input.properties as object).filter((p) => !required.includes(p))
      return `${name}: ${required.join(' ')} [${optional.sort().join(' ')}]`
    }
    const tools = skills.filter((skill) => skill.kind !== 'stage')
    expect(tools.map(argumentsOf).sort()).toEqual([
      'brain_query: query [limit]',
      'brain_write: title content [tags]',
      'debug: project_root error [bundle context model repo session_id]',
      'retrospective: session_id [model]',
      'review: project_root files [bundle context model repo session_id]',
      'session_log: session_id []',
      'spec: project_root requirements [apply bundle context model output_path repo session_id]',
      'tdd_green: project_root test_path [apply bundle model repo session_id test_cmd]',
      'tdd_red: project_root spec [apply bundle model repo session_id test_cmd test_path]',
      'tdd_refactor: project_root test_path impl_path [apply bundle model repo session_id test_cmd]',
      'tier:  []',
      'trainer: session_id [model]',
    ])
  })

  test('gives each skill the chain that the documentation states', () => {
    const chainOf = (name: string) => chainFor(config.models, config.skills.get(name)!, undefined)
    const tuned = ['ollama/qwen3-coder-30b-tuned', 'claude-sonnet-4-6']
    expect(chainOf('review')).toEqual([
      'ollama/devstral-tuned',
      'ollama/gemma4',
      'claude-sonnet-4-6',
    ])
    expect(chainOf('spec')).toEqual([
      'ollama/phi4',
      'ollama/gemma4',
      'claude-sonnet-4-6',
      'claude-opus-4-6',
    ])
    expect(chainOf('debug')).toEqual(['ollama/deepseek-r1-tuned', 'claude-sonnet-4-6'])
    for (const name of ['tdd_red', 'tdd_green', 'tdd_refactor'])
      expect(chainOf(name)).toEqual(tuned)
    for (const name of ['retrospective', 'trainer', 'trainer_reader'])
      expect(chainOf(name)).toEqual(tuned)
  })

  test('marks as read-only exactly the tools that change nothing', () => {
    const readOnly = skills.filter((skill) => skill.read_only).map((skill) => skill.name)
    expect(readOnly.sort()).toEqual([
      'brain_query',
      'debug',
      'retrospective',
      'review',
      'session_log',
      'tier',
      'trainer_reader',
    ])
  })

  test.each(byName)('%s describes every argument and takes no other', (_name, { input }) => {
    expect(input.additionalProperties).toBe(false)
    const properties = Object.values(input.properties as Record<string, JsonSchema>)
    for (const property of properties) expect(property.description).toMatch(/\w{3}/)
  })

  test.each(byName)('%s caps the length of every text and list it takes', (_name, { input }) => {
    const uncapped = (schema: JsonSchema): boolean =>
      (schema.type === 'string' && schema.maxLength === undefined && !schema.pattern) ||
      (schema.type === 'array' &&
        (schema.maxItems === undefined || uncapped(schema.items as JsonSchema)))
    const properties = Object.entries(input.properties as Record<string, JsonSchema>)
    expect(properties.filter(([, schema]) => uncapped(schema)).map(([name]) => name)).toEqual([])
  })

  test.each(byName.filter(([, skill]) => skill.output))(
    '%s asks for an answer that every model server can be held to',
    (_name, { output }) => {
      expect(looseObjectsIn(output!, 'output')).toEqual([])
      expect((output!.properties as JsonSchema).message).toMatchObject({ type: 'string' })
    },
  )

  test('takes a session id only when it can be a file name', () => {
    const schema = zodFrom(config.skills.get('session_log')!.input)
    const isTaken = (session_id: string) => schema.safeParse({ session_id }).success
    expect(['s', 'feature-12.b_3', 'a..b'].map(isTaken)).toEqual([true, true, true])
    expect(['', '.', '../x', 'a/b', 'a b', 'x'.repeat(129)].map(isTaken)).toEqual(
      Array(6).fill(false),
    )
  })

  test('cannot be changed by a reader', () => {
    expect(() => Object.assign(config.models, { verifier: 'x' })).toThrow(TypeError)
    expect(() => Object.assign(config.skills.get('review')!.limits, { loop_steps: 1 })).toThrow(
      TypeError,
    )
  })
})

test('LLAMA_SWAP_URL overrides the file', () => {
  const modelsFile = join(dir, 'swap.yaml')
  const text = 'verifier: claude-a\ndefault_chain: [claude-a]\nllama_swap_url: http://file:1\n'
  writeFileSync(modelsFile, text)
  const urlWith = (llamaSwapUrl: string | undefined) =>
    loadConfig({ ...places, modelsFile, llamaSwapUrl }).models.llama_swap_url
  expect(urlWith(undefined)).toBe('http://file:1')
  expect(urlWith('http://variable:2')).toBe('http://variable:2')
})

test('a chain may be given to a tool, to its family and to a stage', () => {
  const modelsFile = join(dir, 'families.yaml')
  const skills = ['tdd', 'tdd_red', 'trainer_reader'].map((name) => `${name}: {chain: [a]}`)
  writeFileSync(
    modelsFile,
    `verifier: a\ndefault_chain: [a]\nskills: {${skills.join(', ')}, tdd_rde: {chain: [a]}}\n`,
  )
  expect(checkConfig({ ...places, modelsFile })).toEqual([
    `${modelsFile}:3: skills.tdd_rde: no skill file and no family has this name; did you mean tdd_red?`,
  ])
})

test('problems of all files come at once, and a broken skill file is still a known name', () => {
  const configDir = join(dir, 'broken')
  cpSync(shipped, configDir, { recursive: true })
  writeFileSync(join(configDir, 'skills/review.md'), 'not a skill\n')
  const modelsFile = join(configDir, 'models.yaml')
  writeFileSync(
    modelsFile,
    'verifier: a\ndefault_chain: []\nskills: {review: {chain: [a]}, revue: {chain: [a]}}\n',
  )
  const problems = checkConfig({ ...places, configDir, modelsFile })
  expect(problems.map((problem) => problem.replace(`${configDir}/`, ''))).toEqual([
    'models.yaml:2: default_chain: must name at least one model',
    'models.yaml:3: skills.revue: no skill file and no family has this name; did you mean review?',
    'skills/review.md:1: must start with frontmatter: YAML between two lines of ---',
  ])
  expect(() => loadConfig({ ...places, configDir, modelsFile })).toThrow(new ConfigError(problems))
})

test('a problem in the price list is told with its line, among those of the other files', () => {
  const pricesFile = join(dir, 'prices.yaml')
  const row = '{input_usd_per_mtok: 1, output_usd_per_mtok: -1, cache_red_usd_per_mtok: 1}'
  writeFileSync(pricesFile, `version: today\nmodels:\n  claude-a: ${row}\n  claude-b: {}\n`)
  const problems = checkConfig({ ...places, pricesFile })
  expect(problems.map((problem) => problem.replace(`${dir}/`, ''))).toEqual([
    'prices.yaml:1: version: must be the day of the prices, such as 2026-11-22',
    'prices.yaml:3: models.claude-a.cache_red_usd_per_mtok: unknown key; did you mean cache_read_usd_per_mtok?',
    'prices.yaml:3: models.claude-a.output_usd_per_mtok: must not be below 0',
    'prices.yaml:4: models.claude-b.input_usd_per_mtok: is missing',
    'prices.yaml:4: models.claude-b.output_usd_per_mtok: is missing',
  ])
  expect(() => loadConfig({ ...places, pricesFile })).toThrow(new ConfigError(problems))
})

test('every cloud model that the shipped chains name has a list price', () => {
  const { models, prices } = loadConfig(places)
  const cloud = modelsNamedIn(models).filter((model) => tierOf(model) !== 'local')
  expect(cloud.length).toBeGreaterThan(0)
  const usage = { ...NO_USAGE, inputTokens: 1e6, outputTokens: 1e6 }
  for (const model of cloud) {
    const price = priceOf({ list: prices, models: {} }, { model, usage, durationMs: 1 })
    expect(price, model).toMatchObject({ basis: 'list', priceVersion: prices.version })
  }
})

test('without the config folder both files say what to do', () => {
  const configDir = join(dir, 'gone')
  const problems = checkConfig({ ...places, configDir, modelsFile: join(configDir, 'models.yaml') })
  expect(problems).toEqual([
    `${configDir}/models.yaml: is not there; name the file in SUPERVISOR_MODELS_FILE, or write it there`,
    `${configDir}/skills: cannot be read (ENOENT); SUPERVISOR_CONFIG_DIR names the folder above it`,
  ])
})

/**
 * Places where an answer is left open or uses a keyword that a server's grammar may refuse: lengths and ranges are not
 * understood by all of them, and every property must be required.
 */
function looseObjectsIn(schema: JsonSchema, where: string): string[] {
  const understood = ['type', 'description', 'properties', 'required', 'additionalProperties']
  const allowed = [...understood, 'items', 'minItems', 'enum']
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>
  const names = Object.keys(properties)
  const isOpen =
    schema.type === 'object' &&
    (schema.additionalProperties !== false || String(schema.required) !== String(names))
  return [
    ...Object.keys(schema).flatMap((key) => (allowed.includes(key) ? [] : [`${where}.${key}`])),
    ...(Number(schema.minItems ?? 0) > 1 ? [`${where}.minItems`] : []),
    ...(isOpen ? [where] : []),
    ...names.flatMap((name) => looseObjectsIn(properties[name]!, `${where}.${name}`)),
    ...(schema.items ? looseObjectsIn(schema.items as JsonSchema, `${where}[]`) : []),
  ]
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkModels, loadModels } from './load-models.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hg-models-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const SKILL_NAMES = ['review', 'spec', 'tdd', 'tdd_red']

/** The problems of a models.yaml with this text, without the folder it lies in. */
function problemsOf(text: string): string[] {
  const path = join(dir, 'models.yaml')
  writeFileSync(path, text)
  const checked = checkModels(path, SKILL_NAMES)
  return checked.ok ? [] : checked.problems.map((problem) => problem.replace(`${dir}/`, ''))
}

const good = `verifier: claude-sonnet-4-6
llama_swap_url: http://gpu-box:8080
default_chain:
  - ollama/qwen3-coder-30b-tuned
  - claude-sonnet-4-6
skills:
  review:
    chain: [ollama/devstral-tuned, ollama/gemma4, claude-sonnet-4-6]
`

test('the documented format loads as it is written', () => {
  const path = join(dir, 'good.yaml')
  writeFileSync(path, good)
  expect(loadModels(path, SKILL_NAMES)).toEqual({
    verifier: 'claude-sonnet-4-6',
    llama_swap_url: 'http://gpu-box:8080',
    default_chain: ['ollama/qwen3-coder-30b-tuned', 'claude-sonnet-4-6'],
    skills: { review: { chain: ['ollama/devstral-tuned', 'ollama/gemma4', 'claude-sonnet-4-6'] } },
  })
})

test('a file with Windows line ends and a byte order mark loads as well', () => {
  const path = join(dir, 'windows.yaml')
  writeFileSync(path, `\uFEFF${good.replaceAll('\n', '\r\n')}`)
  expect(loadModels(path).verifier).toBe('claude-sonnet-4-6')
})

describe('a bad file is refused with file, line and key:', () => {
  test.each([
    [
      'an unknown key',
      good.replace('llama_swap_url', 'llama_swap_urls'),
      'models.yaml:2: llama_swap_urls: unknown key; did you mean llama_swap_url?',
    ],
    [
      'an unknown key of a skill',
      good.replace('    chain:', '    chains: [a]\n    chain:'),
      'models.yaml:8: skills.review.chains: unknown key; did you mean chain?',
    ],
    [
      'an empty chain',
      good.replace(/chain: \[.*\]/, 'chain: []'),
      'models.yaml:8: skills.review.chain: must name at least one model',
    ],
    [
      'a missing verifier',
      good.replace(/^verifier.*\n/, ''),
      'models.yaml:1: verifier: is missing; write the model that judges local outputs, such as claude-sonnet-4-6',
    ],
    [
      'a skill without a chain',
      good.replace(/chain: \[.*\]/, ''),
      'models.yaml:7: skills.review: must be a group of keys',
    ],
    [
      'a bad URL',
      good.replace('http://gpu-box:8080', 'gpu-box:8080'),
      'models.yaml:2: llama_swap_url: must be an http:// or https:// URL',
    ],
    [
      'a name that is no model',
      good.replace('ollama/gemma4', '"gemma 4"'),
      'models.yaml:8: skills.review.chain.1: must be a model name such as ollama/devstral-tuned',
    ],
    [
      'a key written twice',
      `${good}default_chain: [claude-sonnet-4-6]\n`,
      'models.yaml:9: default_chain: is written twice; keep one',
    ],
    [
      'a skill that is not there',
      good.replace('  review:', '  reviw:'),
      'models.yaml:7: skills.reviw: no skill file and no family has this name; did you mean review?',
    ],
    [
      'two models of one queue',
      good.replace('ollama/gemma4', 'qwen3-coder-30b-tuned'),
      'models.yaml:8: skills.review.chain.1: qwen3-coder-30b-tuned and ollama/qwen3-coder-30b-tuned would share the queue local.qwen3-coder-30b-tuned; use one name',
    ],
    [
      'text that is not YAML',
      'verifier: "a\n',
      expect.stringMatching(/^models\.yaml:[12]: bad YAML: /),
    ],
  ])('%s', (_what, text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })
})

const withBackends = `${good}
backends:
  gpu-box:
    kind: ollama
    url: http://gpu-box:11434
    key_env: GPU_BOX_KEY
    parallel_calls: 2
    memory_slots: 1
    context: 32768
  claude:
    kind: anthropic
models:
  ollama/gemma4:
    backend: gpu-box
    served_name: gemma4:27b
    context: 65536
    effort: low
    temperature: 0.1
    reasoning: off
    tools: text
    price: {input_usd_per_mtok: 0, output_usd_per_mtok: 0.2, per_hour_usd: 0.35}
`

test('backends and models have settings of their own, and every key of them loads', () => {
  const path = join(dir, 'backends.yaml')
  writeFileSync(path, withBackends)
  const { backends, models } = loadModels(path, SKILL_NAMES)
  expect(backends).toEqual({
    'gpu-box': {
      kind: 'ollama',
      url: 'http://gpu-box:11434',
      key_env: 'GPU_BOX_KEY',
      parallel_calls: 2,
      memory_slots: 1,
      context: 32768,
    },
    claude: { kind: 'anthropic' },
  })
  expect(models?.['ollama/gemma4']).toMatchObject({ served_name: 'gemma4:27b', reasoning: 'off' })
})

describe('a bad backend or model setting is refused with file, line and key:', () => {
  test.each([
    [
      'a kind that is not there',
      withBackends.replace('kind: ollama', 'kind: olama'),
      'models.yaml:12: backends.gpu-box.kind: must be one of litellm, ollama, llama-swap, lm-studio, llama-cpp, vllm, openai, anthropic; did you mean ollama?',
    ],
    [
      'a server of one’s own without a URL',
      withBackends.replace(/ {4}url: .*\n/, ''),
      'models.yaml:11: backends.gpu-box.url: is missing; write where the server is, such as http://gpu-box:8080',
    ],
    [
      'a key in the URL',
      withBackends.replace('http://gpu-box:11434', 'http://me:secret@gpu-box:11434'),
      'models.yaml:13: backends.gpu-box.url: holds credentials; put the key into a variable and name it in key_env',
    ],
    [
      'a key in place of its variable',
      withBackends.replace('GPU_BOX_KEY', 'sk-abc'),
      'models.yaml:14: backends.gpu-box.key_env: must be the name of a variable such as GPU_BOX_KEY, not the key',
    ],
    [
      'a setting for a model of no chain',
      withBackends.replace('  ollama/gemma4:\n', '  ollama/gemma5:\n'),
      'models.yaml:21: models.ollama/gemma5: no chain names this model and it is not the verifier; did you mean ollama/gemma4?',
    ],
    [
      'a backend that is not there',
      withBackends.replace('backend: gpu-box', 'backend: gpu-bix'),
      'models.yaml:22: models.ollama/gemma4.backend: backends has no gpu-bix; did you mean gpu-box?',
    ],
    [
      'an unknown setting',
      withBackends.replace('tools: text', 'tool: text'),
      'models.yaml:28: models.ollama/gemma4.tool: unknown key; did you mean tools?',
    ],
    [
      'an empty price',
      withBackends.replace(/price: .*/, 'price: {}'),
      'models.yaml:29: models.ollama/gemma4.price: must name at least one price',
    ],
    [
      'a price below nothing',
      withBackends.replace('per_hour_usd: 0.35', 'per_hour_usd: -1'),
      'models.yaml:29: models.ollama/gemma4.price.per_hour_usd: must not be below 0',
    ],
  ])('%s', (_what, text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })
})

test('all problems come at once, in the order of the file', () => {
  const text = `verifer: claude-sonnet-4-6
default_chain: []
skills:
  reviw:
    chain: []
  spec:
    chain: claude-sonnet-4-6
`
  expect(problemsOf(text)).toEqual([
    'models.yaml:1: verifer: unknown key; did you mean verifier?',
    'models.yaml:1: verifier: is missing; write the model that judges local outputs, such as claude-sonnet-4-6',
    'models.yaml:2: default_chain: must name at least one model',
    'models.yaml:4: skills.reviw: no skill file and no family has this name; did you mean review?',
    'models.yaml:5: skills.reviw.chain: must name at least one model',
    'models.yaml:7: skills.spec.chain: must be a list',
  ])
})

test('a missing file says what to do', () => {
  const path = join(dir, 'absent.yaml')
  expect(() => loadModels(path)).toThrow(
    new ConfigError(
      `${path}: is not there; name the file in SUPERVISOR_MODELS_FILE, or write it there`,
    ),
  )
})

test('a folder in place of the file is told as such', () => {
  expect(() => loadModels(dir)).toThrow(/cannot be read \(EISDIR\)/)
})

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { tellProblem } from '@hyperguild/io/log/recorder-state.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { parseScript } from '@hyperguild/io/simulated/script.ts'
import { startSimulatedModels } from '@hyperguild/io/simulated/server.ts'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { type DoctorReport, examine } from './examine.ts'
import { examineNode } from './machine.ts'
import { findingsOf, renderReport } from './render.ts'
import type { WhomToCall } from './servers.ts'

const ANSWERS =
  '{model: small, when: Call the tool, turns: [{tool: report, input: {state: ready}}]}, {model: small, answer: {door: open}}'

async function simulate(kind: BackendKind, script: string) {
  const models = await startSimulatedModels({ script: parseScript(script, 'test.yaml'), kind })
  onTestFinished(() => models.close())
  return models
}

/** The report on a configuration, with its models.yaml in a folder of its own. */
async function reportOn(
  modelsYaml: string,
  variables: Record<string, string> = {},
  call: WhomToCall = 'warm_local',
): Promise<DoctorReport> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-doctor-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'models.yaml')
  await writeFile(file, modelsYaml)
  const environment = readEnvironment({ SUPERVISOR_MODELS_FILE: file, ...variables })
  return examine(environment, { call, findLocal: async () => [] })
}

const chain = (...models: string[]) =>
  `verifier: ${models[0]}\ndefault_chain: [${models.join(', ')}]\n`

const backend = (kind: BackendKind, url: string, more = '') =>
  `backends:\n  box:\n    kind: ${kind}\n    url: ${url}\n${more}`

function adviceIn(report: DoctorReport): string[] {
  return findingsOf(report)
    .filter(({ state }) => state !== 'ok')
    .map(({ what, detail, nextStep }) => `${what}: ${detail} -> ${nextStep}`)
}

/** Warms a model of a simulated server. */
async function warm(url: string): Promise<void> {
  const body = JSON.stringify({ model: 'small', messages: [] })
  await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })).text()
}

test('a warm model is called, and what it can do stands in the table', async () => {
  const models = await simulate('ollama', `context_tokens: 65536\nrules: [${ANSWERS}]`)
  await warm(models.url)
  const report = await reportOn(chain('ollama/small') + backend('ollama', models.url))
  expect(adviceIn(report)).toEqual([])
  expect(report.ok).toBe(true)
  expect(report.servers?.models).toMatchObject([
    {
      model: 'ollama/small',
      backend: 'box',
      servedName: 'small',
      state: 'warm',
      contextTokens: 65_536,
      capabilities: { schema: 'honoured', tools: 'honoured' },
    },
  ])
  const text = stripVTControlCharacters(renderReport(report))
  expect(text).toMatch(
    /^ok {2}ollama\/small {2}box {5}small {7}warm {3}65536 {4}honoured {2}honoured/m,
  )
  expect(text).toContain('Everything needed is there.')
})

test('a cold model is not called, because that would load it, unless everything is to be called', async () => {
  const models = await simulate('ollama', `rules: [${ANSWERS}]`)
  const yaml = chain('ollama/small') + backend('ollama', models.url)
  const report = await reportOn(yaml)
  expect(report.servers?.models[0]).toMatchObject({ state: 'cold', capabilities: null })
  expect(models.calls()).toEqual([])
  const all = await reportOn(yaml, {}, 'everybody')
  expect(all.servers?.models[0]?.capabilities).toMatchObject({ schema: 'honoured' })
})

test('a cloud model is not called even when it is there, because that costs money', async () => {
  const models = await simulate('anthropic', 'rules: [{model: claude-x, text: hi}]')
  const variables = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: models.url }
  const report = await reportOn(chain('claude-x'), variables)
  expect(report.ok).toBe(true)
  expect(report.servers?.models[0]).toMatchObject({ state: 'warm', capabilities: null })
  expect(models.calls()).toEqual([])
})

describe('a next step is told for', () => {
  test('a model the server does not have', async () => {
    const models = await simulate('ollama', 'rules: [{model: small, text: hi}]')
    const report = await reportOn(chain('ollama/big') + backend('ollama', models.url))
    expect(report.ok).toBe(false)
    expect(adviceIn(report)).toEqual([
      'ollama/big: box has no big; it has small:latest -> run: ollama pull big; or write models.ollama/big.served_name in models.yaml',
    ])
  })

  test('a server that is gone', async () => {
    const models = await simulate('llama-swap', 'rules: [{model: small, text: hi}]')
    await models.close()
    const report = await reportOn(chain('ollama/small') + backend('llama-swap', models.url))
    expect(adviceIn(report)).toEqual([
      expect.stringMatching(
        /^box .*cannot be reached \(ECONNREFUSED\) -> start it, or correct backends\.box\.url/,
      ),
    ])
  })

  test('a context that is little for code, as a warning', async () => {
    const models = await simulate('ollama', `rules: [${ANSWERS}]`)
    await warm(models.url)
    const report = await reportOn(chain('ollama/small') + backend('ollama', models.url))
    expect(report.ok).toBe(true)
    expect(adviceIn(report)).toEqual([
      'ollama/small: a context of 4096 tokens is little for code -> start Ollama with OLLAMA_CONTEXT_LENGTH=32768 or more',
    ])
  })

  test('a context that is smaller than models.yaml says, as a problem', async () => {
    const models = await simulate('vllm', `rules: [${ANSWERS}]`)
    const own = '    context: 65536\n'
    const report = await reportOn(chain('ollama/small') + backend('vllm', models.url, own))
    expect(report.ok).toBe(false)
    expect(adviceIn(report)[0]).toContain('says a context of 65536 tokens, loaded with 32768')
  })

  test('a model that calls no tools, unless models.yaml knows it', async () => {
    const models = await simulate('vllm', `toolless: [small]\nrules: [${ANSWERS}]`)
    const yaml = chain('ollama/small') + backend('vllm', models.url)
    const report = await reportOn(yaml)
    expect(report.ok).toBe(true)
    expect(adviceIn(report)).toEqual([
      'ollama/small: it does not call tools as the protocol has it (refused) -> write tools: text under models.ollama/small in models.yaml',
    ])
    const known = await reportOn(`${yaml}models:\n  ollama/small: {tools: text}\n`)
    expect(adviceIn(known)).toEqual([])
  })

  test('a call that fails', async () => {
    const models = await simulate('vllm', 'rules: [{model: small, error: {status: 500}}]')
    const report = await reportOn(chain('ollama/small') + backend('vllm', models.url))
    expect(adviceIn(report)[0]).toContain('look at the log of its server')
  })

  test('models without a server or a key, the same words only once', async () => {
    const report = await reportOn(chain('ollama/a', 'ollama/b', 'claude-x'))
    expect(report.servers?.backends).toEqual([])
    const text = stripVTControlCharacters(renderReport(report))
    expect(text).toContain('FAIL  ollama/a, ollama/b: no server of local models is configured')
    expect(text).toMatch(/FAIL {2}claude-x: no access .*\n {6}set ANTHROPIC_API_KEY/)
  })

  test('Claude Code, where it does the work of a model: its version, and whether it has access', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hyperguild-doctor-claude-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const program = join(folder, 'claude')
    await writeFile(program, '#!/bin/sh\necho "2.1.330 (Claude Code)"\n', { mode: 0o755 })
    const yaml = `${chain('claude-x')}models: { claude-x: { executor: claude-code } }\n`
    const variables = { HYPERGUILD_CLAUDE_PATH: program, CLAUDE_CODE_OAUTH_TOKEN: 'token' }
    const claudeIn = (report: DoctorReport) => report.machine.find(({ what }) => what === 'claude')

    const signedIn = await reportOn(yaml, variables)
    expect(claudeIn(signedIn)).toMatchObject({
      state: 'ok',
      detail: `no ANTHROPIC_API_KEY; 2.1.330 (Claude Code) at ${program}`,
    })
    expect(signedIn.servers).toMatchObject({
      backends: [],
      models: [{ model: 'claude-x', backend: 'claude-code', state: 'unknown', findings: [] }],
    })
    const signedOut = await reportOn(yaml, { HYPERGUILD_CLAUDE_PATH: program })
    expect(claudeIn(signedOut)?.detail).toMatch(/Claude Code has no access$/)
    expect(adviceIn(signedOut)).toEqual([
      expect.stringMatching(/^claude-x: Claude Code has no access -> set ANTHROPIC_API_KEY, or/),
    ])
    await writeFile(program, 'no program')
    expect(claudeIn(await reportOn(yaml, variables))?.state).toBe('warning')
  })

  test('a configuration that cannot be read', async () => {
    const report = await reportOn('verifer: x\n')
    expect(report.servers).toBeNull()
    expect(adviceIn(report)[0]).toMatch(
      /^configuration: [\s\S]*did you mean verifier\?[\s\S]*hyperguild check$/,
    )
  })

  test('a Redis that is not there', async () => {
    const { machine } = await reportOn(chain('claude-x'), { REDIS_URL: 'redis://127.0.0.1:9' })
    expect(machine.find(({ what }) => what === 'redis')).toMatchObject({
      state: 'problem',
      nextStep: expect.stringMatching(/./),
    })
  })

  test('an old Node', () => {
    expect(examineNode('22.1.0').state).toBe('problem')
    expect(examineNode('24.0.0').state).toBe('ok')
  })
})

test('a Redis that can be used is told with version and policy', async () => {
  const { machine } = await reportOn(chain('claude-x'), { REDIS_URL: inject('redisUrl') })
  expect(machine.find(({ what }) => what === 'redis')).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/^version \d+\.\d+\.\d+, noeviction$/),
  })
})

test('finished jobs that cannot be written to the session log are told, with why', async () => {
  const prefix = `test-${crypto.randomUUID()}`
  const redis = connectRedis(inject('redisUrl'), 'doctor-test', 'wait')
  onTestFinished(() => redis.disconnect())
  const variables = { REDIS_URL: inject('redisUrl'), HYPERGUILD_REDIS_PREFIX: prefix }
  const logFinding = async () =>
    (await reportOn(chain('claude-x'), variables)).machine.find(
      ({ what }) => what === 'session log',
    )
  expect(await logFinding()).toMatchObject({ state: 'ok', detail: 'all written' })

  await redis.xadd(keysFor(prefix).entries, '*', 'entry', '{}')
  await tellProblem(redis, keysFor(prefix), new Error('ENOSPC: no space left on device, write'))
  expect(await logFinding()).toMatchObject({
    state: 'warning',
    detail: '1 finished jobs wait to be written: ENOSPC: no space left on device, write',
    nextStep: expect.stringContaining('SUPERVISOR_SESSIONS_DIR'),
  })
})

test('LiteLLM says nothing of memory, so llama-swap is asked', async () => {
  const gate = await simulate('litellm', 'rules: [{model: small, text: hi}]')
  const swap = await simulate('llama-swap', 'rules: [{text: hi}]')
  const variables = { LITELLM_BASE_URL: gate.url, LLAMA_SWAP_URL: swap.url }
  const stateOf = async () => {
    const { servers } = await reportOn(chain('ollama/small'), variables, 'nobody')
    return servers?.models[0]?.state
  }
  expect(await stateOf()).toBe('cold')
  await warm(swap.url)
  expect(await stateOf()).toBe('warm')
})

describe('a server nobody configured', () => {
  const found = {
    kind: 'ollama',
    url: 'http://127.0.0.1:11434',
    models: ['a'],
    wantsKey: false,
  } as const
  const offersTo = async (variables: Record<string, string>) => {
    const environment = readEnvironment(variables)
    return (await examine(environment, { call: 'nobody', findLocal: async () => [found] })).offers
  }

  test('is offered with the lines that would use it', async () => {
    expect(await offersTo({})).toEqual([
      {
        found: 'ollama at http://127.0.0.1:11434',
        models: ['a'],
        lines: ['backends:', '  ollama:', '    kind: ollama', '    url: http://127.0.0.1:11434'],
      },
    ])
  })

  test('is not offered where one is configured', async () => {
    expect(await offersTo({ LITELLM_BASE_URL: 'http://127.0.0.1:9' })).toEqual([])
  })
})

test('the command prints JSON and its exit code tells whether something is missing', async () => {
  const models = await simulate(
    'ollama',
    'context_tokens: 65536\nrules: [{model: small, text: hi}]',
  )
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-doctor-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'models.yaml')
  const run = async (yaml: string) => {
    await writeFile(file, yaml)
    const main = new URL('../main.ts', import.meta.url).pathname
    const env = { PATH: process.env.PATH, SUPERVISOR_MODELS_FILE: file }
    return new Promise<{ code: number; report: DoctorReport }>((resolve) => {
      execFile(
        process.execPath,
        [main, 'doctor', '--json', '--no-calls'],
        { env },
        (error, stdout) => resolve({ code: Number(error?.code ?? 0), report: JSON.parse(stdout) }),
      )
    })
  }
  const good = await run(chain('ollama/small') + backend('ollama', models.url))
  expect(good).toMatchObject({ code: 0, report: { ok: true } })
  const bad = await run(chain('ollama/big') + backend('ollama', models.url))
  expect(bad).toMatchObject({ code: 1, report: { ok: false } })
})

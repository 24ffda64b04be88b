import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findToolchain } from '../work/toolchain.ts'
import { ASSIGNMENT, writeStub } from './claude-stub.fixture.ts'
import type { FinishedCall } from './read-run.ts'
import { type ClaudeOptions, runClaudeCode } from './run-claude.ts'

const LEVELS = ['bubblewrap', 'none'] as const
const toolchain = findToolchain('')

/** Runs a stub in a workspace of its own and tells everything that came of it. */
async function run(script: string, options: Partial<ClaudeOptions> = {}, signal = unaborted()) {
  const workDir = await temporaryFolder()
  const calls: FinishedCall[] = []
  const ended = await runClaudeCode(
    {
      ...ASSIGNMENT,
      claude: await writeStub(await temporaryFolder(), script),
      confinement: { level: 'none', toolchain },
      workDir,
      onCall: (call) => calls.push(call),
      ...options,
    },
    signal,
  ).catch((error: unknown) => error)
  return { ended, calls, workDir }
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-claude-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const unaborted = () => new AbortController().signal
const homesLeft = () =>
  readdirSync(tmpdir()).filter((name) => /^hyperguild-claude-\w{6}$/.test(name))

/** The command lines on this machine that hold a text. */
function commandsWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
    .filter((command) => command.includes(text))
}

describe.each(LEVELS)('confined by %s', (level) => {
  const confinement = { level, toolchain }
  const LOOKS_AROUND = `
    const home = process.env.HOME
    fs.writeFileSync('seen.json', JSON.stringify({
      argv, env: process.env, cwd: process.cwd(), home: fs.readdirSync(home),
      system: fs.readFileSync(valueOf('--system-prompt-file'), 'utf8'),
      task: fs.readFileSync(0, 'utf8'), guild,
    }))
    begin()
    end({ structured_output: answer })`
  const runTests = {
    name: 'run_tests',
    description: 'Run the tests.',
    input: { type: 'object', properties: {} },
    run: async () => ({ text: 'all 3 pass' }),
  }

  test('it gets its flags and nothing else: no secret in an argument, no variable of ours', async () => {
    const { ended, workDir } = await run(LOOKS_AROUND, { confinement, tools: [runTests] })
    expect(ended).toMatchObject({ output: { message: 'Done.' } })
    const seen = JSON.parse(await readFile(join(workDir, 'seen.json'), 'utf8'))
    const flags = [
      ...['-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
      ...['--no-session-persistence', '--restricted', '--setting-sources', 'user'],
      ...['--disable-slash-commands', '--permission-mode', 'dontAsk', '--strict-mcp-config'],
      ...['--mcp-config', `${seen.env.HOME}/tool-servers.json`],
      ...['--tools', 'Read,Grep,Glob,Write,Edit', '--allowedTools'],
      ...['Read', 'Grep', 'Glob', 'Write', 'Edit', 'mcp__guild__run_tests'],
      ...['--model', 'claude-sonnet-4-6'],
      ...['--system-prompt-file', `${seen.env.HOME}/system.md`],
      ...['--json-schema', JSON.stringify(ASSIGNMENT.answerSchema)],
      ...['--max-turns', '25', '--max-budget-usd', '2'],
    ]
    expect(seen.argv).toEqual(flags)
    expect(
      Object.keys(seen.env)
        .filter((name) => name !== 'PWD')
        .toSorted(),
    ).toEqual([
      'ANTHROPIC_API_KEY',
      'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
      'CLAUDE_CODE_MAX_RETRIES',
      'CLAUDE_CONFIG_DIR',
      'DISABLE_AUTOUPDATER',
      'HOME',
      'LANG',
      'MCP_TOOL_TIMEOUT',
      'PATH',
      'TMPDIR',
    ])
    expect(seen).toMatchObject({
      env: { ANTHROPIC_API_KEY: 'sk-secret' },
      system: expect.stringMatching(/^# review\n\nIron laws\n\n.*StructuredOutput/),
      task: ASSIGNMENT.task,
      home: ['system.md', 'tmp', 'tool-servers.json'],
      guild: { type: 'http', headers: { Authorization: expect.stringMatching(/^Bearer .{43}$/) } },
    })
    const token = seen.guild.headers.Authorization.slice('Bearer '.length)
    expect(seen.argv.join(' ')).not.toMatch(new RegExp(`sk-secret|${token}`))
    expect(homesLeft()).toEqual([])
  })

  test('without a shell to read or to answer: tools as the files allow, an empty directory without a project', async () => {
    const script = `
      begin()
      end({ structured_output: { message: [valueOf('--tools'), argv.includes('--allowedTools'), fs.readdirSync('.')].join() } })`
    const given = async (files: ClaudeOptions['files'], workDir: string | null) => {
      const { ended } = await run(script, { confinement, files, workDir })
      return (ended as { output: unknown }).output
    }
    expect(await given('read', null)).toEqual({ message: 'Read,Grep,Glob,true,' })
    expect(await given('none', null)).toEqual({ message: ',false,' })
  })

  test('our tool answers who brings the token of this run, and nobody else', async () => {
    const script = `
      begin()
      const right = await callTool()
      const wrong = await callTool('Bearer guessed')
      end({ structured_output: { message: wrong.status + ' ' + await right.text() } })`
    const { ended } = await run(script, { confinement, tools: [runTests] })
    expect(ended).toMatchObject({
      output: { message: expect.stringMatching(/^401 .*all 3 pass/s) },
    })
  })

  test('when it is aborted, nothing of it is left running: neither what ignores signals nor its children', async () => {
    const mark = `60${Math.random().toString().slice(2, 12)}`
    const script = `
      process.on('SIGINT', () => {})
      require('node:child_process').spawn('sleep', ['${mark}'], { detached: ${level === 'bubblewrap'} })
      begin()
      request()
      await callTool()`
    const stop = new AbortController()
    const reason = new Error('enough')
    const waits = {
      ...runTests,
      run: async (_input: unknown, signal: AbortSignal) => {
        expect(commandsWith(mark)).toHaveLength(1)
        const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
        stop.abort(reason)
        await aborted
        return { text: 'too late' }
      },
    }
    const { ended, calls } = await run(script, { confinement, tools: [waits] }, stop.signal)
    expect(ended).toBe(reason)
    expect(commandsWith(mark)).toEqual([])
    expect(calls).toMatchObject([{ usage: { inputTokens: null } }])
    expect(homesLeft()).toEqual([])
  })
})

test('under bubblewrap it sees the workspace and the system, and may write where it is to write', async () => {
  const confinement = { level: 'bubblewrap', toolchain } as const
  const script = `
    const tries = { cwd: process.cwd(), projects: fs.existsSync('${import.meta.dirname}') }
    try { fs.writeFileSync('new.js', ''); tries.wrote = true } catch { tries.wrote = false }
    tries.others = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length
    begin()
    end({ structured_output: { message: JSON.stringify(tries) } })`
  const triesWith = async (files: ClaudeOptions['files']) => {
    const { ended, workDir } = await run(script, { confinement, files })
    const { message } = (ended as { output: { message: string } }).output
    const isThere = await stat(join(workDir, 'new.js')).then(
      () => true,
      () => false,
    )
    return { ...JSON.parse(message), isThere }
  }
  const common = { cwd: '/workspace', projects: false, others: 1 }
  expect(await triesWith('read')).toEqual({ ...common, wrote: false, isThere: false })
  expect(await triesWith('edit')).toEqual({ ...common, wrote: true, isThere: true })
})

describe('a run counts only', () => {
  test('with an answer that is valid, whatever the exit code', async () => {
    const { ended } = await run('begin(); end({ structured_output: answer }); process.exit(1)')
    expect(ended).toMatchObject({ output: { message: 'Done.' } })
  })

  const fails = (envelope: string) => `begin(); end(${envelope})`
  const api = (more: string) => fails(`{ is_error: true, terminal_reason: 'api_error', ${more} }`)
  test.each([
    ['no answer, exit code 0', fails('{}'), 'bad_output', /without an answer/],
    [
      'an invalid answer',
      fails('{ structured_output: { message: 1 } }'),
      'bad_output',
      /message: must be a string/,
    ],
    [
      'no valid answer after retries',
      fails(
        "{ is_error: true, subtype: 'error_max_structured_output_retries', terminal_reason: 'structured_output_retry_exhausted' }",
      ),
      'bad_output',
      /no valid answer/,
    ],
    [
      'too many turns',
      fails("{ is_error: true, subtype: 'error_max_turns', terminal_reason: 'max_turns' }"),
      'loop_limit',
      /loop_steps/,
    ],
    [
      'too much money',
      fails(
        "{ is_error: true, subtype: 'error_max_budget_usd', terminal_reason: 'budget_exhausted' }",
      ),
      'loop_limit',
      /budget_usd/,
    ],
    [
      'a prompt that is too long',
      fails(
        "{ is_error: true, terminal_reason: 'prompt_too_long', api_error_status: 400, result: 'Prompt is too long' }",
      ),
      'context_overflow',
      /send less/,
    ],
    [
      'a refused key',
      api("api_error_status: 401, result: 'Invalid API key'"),
      'auth',
      /HTTP 401.*ANTHROPIC_API_KEY/,
    ],
    ['an overload', api("api_error_status: 529, result: 'API Error: 529'"), 'overloaded', /529/],
    [
      'a spent budget',
      api(
        "api_error_status: 400, result: 'API Error: 400 You have reached your specified API usage limits. You will regain access on 2099-01-01'",
      ),
      'budget_exhausted',
      /budget/,
    ],
    [
      'an unknown model',
      api("api_error_status: 404, result: 'an issue with the selected model'"),
      'model_missing',
      /models.yaml/,
    ],
    [
      'no connection',
      api("api_error_status: null, result: 'API Error: Connection refused (ECONNREFUSED)'"),
      'network',
      /cannot reach/,
    ],
    ['a refusal', api("api_error_status: null, stop_reason: 'refusal'"), 'refusal', /refused/],
    [
      'an endless answer',
      api(
        "api_error_status: null, result: 'exceeded the 128000 output token maximum. To configure'",
      ),
      'bad_output',
      /too long/,
    ],
    [
      'no login',
      api("api_error_status: null, result: 'Not logged in · Please run /login'"),
      'auth',
      /CLAUDE_CODE_OAUTH_TOKEN/,
    ],
    [
      'an interruption by others, exit code 0',
      fails(
        "{ is_error: true, subtype: 'error_during_execution', terminal_reason: 'aborted_streaming' }",
      ),
      'internal',
      /aborted_streaming/,
    ],
    [
      'no result at all',
      "console.error('not a schema'); process.exitCode = 1",
      'internal',
      /exit code 1\): not a schema/,
    ],
    ['a dead program', "process.kill(process.pid, 'SIGKILL')", 'internal', /exit code none/],
    [
      'a tool it was not given',
      "begin({ tools: [...tools, 'Bash'] }); end({ structured_output: answer })",
      'internal',
      /not given: Bash/,
    ],
    [
      'tools it does not offer',
      "begin({ tools: ['StructuredOutput'], mcp_servers: [{ name: 'guild', status: 'failed' }] })",
      'internal',
      /does not offer .*Read.*guild: failed/,
    ],
  ])('not with %s', async (_, script, failure, message) => {
    const { ended } = await run(script)
    expect(ended).toBeInstanceOf(ModelFailure)
    expect(ended).toMatchObject({ failure, message: expect.stringMatching(message) })
  })

  test('and a limited rate tells how long the server wanted to be left alone', async () => {
    const script = `
      begin()
      say({ type: 'system', subtype: 'api_retry', retry_delay_ms: 1500, error_status: 429 })
      end({ is_error: true, terminal_reason: 'api_error', api_error_status: 429, result: 'rejected' })`
    expect((await run(script)).ended).toMatchObject({ failure: 'rate_limited', retryAfterMs: 1500 })
  })

  test('and words of the server are not passed on', async () => {
    const script = api("api_error_status: 500, result: 'the words of somebody else'")
    const { ended } = await run(script)
    expect((ended as ModelFailure).message).not.toContain('somebody')
  })
})

describe('what it used', () => {
  const CALLS = `
    begin()
    call({ input_tokens: 10, cache_creation_input_tokens: 5, cache_creation: { ephemeral_1h_input_tokens: 5 }, output_tokens: 7 })
    call({ input_tokens: 20, cache_read_input_tokens: 5, output_tokens: 8 })`
  const TOTAL = `usage: { input_tokens: 30, cache_read_input_tokens: 5, cache_creation_input_tokens: 5, output_tokens: 15 }`
  const sum = { inputTokens: 40, outputTokens: 15, cacheReadTokens: 5, cacheWriteTokens: 5 }

  test('is told call by call', async () => {
    const { ended, calls } = await run(`${CALLS}; end({ structured_output: answer, ${TOTAL} })`)
    expect(calls.map(({ usage }) => usage)).toEqual([
      {
        inputTokens: 15,
        outputTokens: 7,
        cacheReadTokens: 0,
        cacheWriteTokens: 5,
        cacheWrite1hTokens: 5,
      },
      { inputTokens: 25, outputTokens: 8, cacheReadTokens: 5, cacheWriteTokens: 0 },
    ])
    expect(ended).toMatchObject({ usage: { ...sum, cacheWrite1hTokens: 5 } })
  })

  test('is the sum of the envelope where that knows of more', async () => {
    const { calls } = await run(`begin(); end({ structured_output: answer, ${TOTAL} })`)
    expect(calls.map(({ usage }) => usage)).toEqual([sum])
  })

  test('is told of a run that failed', async () => {
    const script = `${CALLS}; end({ is_error: true, subtype: 'error_max_turns', terminal_reason: 'max_turns', ${TOTAL} })`
    const { ended, calls } = await run(script)
    expect(calls).toHaveLength(2)
    expect(ended).toMatchObject({ failure: 'loop_limit', usage: sum })
  })

  test('is nothing when the API refused the first call, and unknown when a call broke off', async () => {
    const refused = `begin(); request(); end({ is_error: true, terminal_reason: 'api_error', api_error_status: 401 })`
    const { ended, calls } = await run(refused)
    expect(calls).toEqual([])
    expect((ended as ModelFailure).usage).toBeUndefined()
    const broken = await run('begin(); request(); process.exit(1)')
    expect(broken.calls).toMatchObject([{ usage: { inputTokens: null, outputTokens: null } }])
  })
})

test('a program that has told its result and does not end is ended', async () => {
  const script = 'begin(); end({ structured_output: answer }); setInterval(() => {}, 1000)'
  expect((await run(script)).ended).toMatchObject({ output: { message: 'Done.' } })
})

test('without access nothing is started', async () => {
  const claude = {
    ...(await writeStub(await temporaryFolder(), 'throw new Error()')),
    signIn: () => ({ problem: 'sign in first' }),
  }
  expect((await run('', { claude })).ended).toMatchObject({
    failure: 'auth',
    message: 'sign in first',
  })
})

import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChatReply, type ChatRequest, NO_USAGE } from '@hyperguild/core/chat.ts'
import type { TestRun } from '@hyperguild/core/evidence.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { charsIn, estimateTokens } from '@hyperguild/core/loop/history.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runLoop } from './agent-loop.ts'
import { editingTools } from './editing-tools.ts'
import type { LoopOptions, LoopStep } from './loop-run.ts'
import { readingTools } from './reading-tools.ts'

let root: string
const idle = new AbortController().signal

const ANSWER = {
  type: 'object',
  properties: { message: { type: 'string' }, findings: { type: 'array' } },
  required: ['message'],
  additionalProperties: false,
}
const FIXED = 'export const total = () => 2\n'

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'hyperguild-loop-')))
  await mkdir(join(root, 'src'))
  await writeFile(join(root, 'src/cart.ts'), 'export const total = () => 1\n')
})
afterEach(() => rm(root, { recursive: true, force: true }))

type Said = Partial<ChatReply> | string

/** A reply with one native call. */
function calling(name: string, input: unknown = {}): Said {
  return { toolCalls: [{ id: 'x', name, input }], stop: 'tool_calls' }
}

/** A model that says these things in turn, the last one for ever, and keeps what it was asked. */
function scripted(...said: (Said | ((request: ChatRequest) => Said))[]) {
  const requests: ChatRequest[] = []
  const chat = async (request: ChatRequest): Promise<ChatReply> => {
    requests.push(request)
    const turn = said[Math.min(requests.length, said.length) - 1]!
    const reply = typeof turn === 'function' ? turn(request) : turn
    const parts = typeof reply === 'string' ? { text: reply } : reply
    return { text: '', toolCalls: [], stop: 'end', usage: NO_USAGE, ...parts }
  }
  return { chat, requests, lastAsked: () => JSON.stringify(requests.at(-1)!.messages.slice(1)) }
}

async function runTests(): Promise<TestRun> {
  const passes = (await readFile(join(root, 'src/cart.ts'), 'utf8')) === FIXED
  const output = passes ? 'ok 1 total' : 'not ok 1 total'
  const exitCode = passes ? 0 : 1
  return {
    command: 't',
    exitCode,
    timedOut: false,
    durationMs: 1,
    output,
    report: null,
    sandbox: 'none',
  }
}

const access = () => ({ root, nonce: 'n0nce', resultChars: 8000, fileBytes: 200_000 })

function loop(chat: LoopOptions['chat'], more: Partial<LoopOptions> = {}, signal = idle) {
  const options = {
    chat,
    model: 'ollama/small',
    system: 'the discipline',
    task: 'make total 2',
    tools: editingTools(access(), runTests),
    answerSchema: ANSWER,
  }
  return runLoop({ ...options, ...more }, signal)
}

const done = calling('finish', { message: 'fixed' })

describe('a model that works', () => {
  it('reads, edits, tests and finishes by native calls', async () => {
    const model = scripted(
      calling('read_file', { path: 'src/cart.ts' }),
      calling('edit_file', { path: 'src/cart.ts', old_text: '=> 1', new_text: '=> 2' }),
      calling('run_tests'),
      done,
    )
    const steps: LoopStep[] = []
    const result = await loop(model.chat, { onStep: (step) => steps.push(step) })
    expect(result).toMatchObject({
      stop: 'finished',
      failure: null,
      output: { message: 'fixed' },
      steps: 4,
    })
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toBe(FIXED)
    expect(model.lastAsked()).toContain('exit code 0')
    expect(model.requests[1]!.messages.at(-1)).toMatchObject({
      role: 'tool',
      toolName: 'read_file',
    })
    expect(steps.map((step) => step.step)).toEqual([1, 2, 3, 4])
    expect(result.transcriptSummary).toContain('3 run_tests {}: The tests ended with exit code 0.')
  })

  it('is asked with tools or with the answer schema, never both, and as a local model at 0.2', async () => {
    const model = scripted('{"message": 7}', done)
    await loop(model.chat)
    await loop(model.chat, { tools: [], model: 'claude-x' }).catch(() => {})
    for (const request of model.requests) {
      expect(Boolean(request.tools) !== Boolean(request.answerSchema)).toBe(true)
    }
    expect(model.requests[0]!.temperature).toBe(0.2)
    expect(model.requests[0]!.tools!.map((tool) => tool.name)).toEqual([
      'list_files',
      'search',
      'read_file',
      'write_file',
      'edit_file',
      'run_tests',
      'finish',
    ])
    expect(model.requests.at(-1)!.temperature).toBeUndefined()
  })

  it('may answer at once, in plain JSON', async () => {
    const model = scripted('Here it is:\n```json\n{"message": "no findings", "findings": []}\n```')
    const result = await loop(model.chat, { tools: readingTools(access()) })
    expect(result).toMatchObject({ stop: 'finished', output: { message: 'no findings' }, steps: 1 })
  })

  it('may answer with a text that speaks of tool calls', async () => {
    const message = 'the <tool_call> {"name": "read_file", "arguments": {}} is not escaped'
    const model = scripted(`\`\`\`json\n${JSON.stringify({ message })}\n\`\`\``)
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', output: { message } })
  })

  it('answers at once without any tools, constrained by the schema', async () => {
    const model = scripted('{"message": "hello"}')
    const result = await loop(model.chat, { tools: [] })
    expect(result.output).toEqual({ message: 'hello' })
    expect(model.requests[0]!.system).toContain('JSON Schema')
  })
})

describe('a model whose calls stand in its text', () => {
  const call = (name: string, args: unknown) => JSON.stringify({ name, arguments: args })
  const edit = { path: 'src/cart.ts', content: FIXED }
  const dialects: [string, (name: string, args: Record<string, unknown>) => string, string][] = [
    ['hermes', (name, args) => `<tool_call>\n${call(name, args)}\n</tool_call>`, '<tool_response>'],
    [
      'qwen xml',
      (name, args) => {
        const parameters = Object.entries(args).map(
          ([k, v]) => `<parameter=${k}>\n${v}\n</parameter>\n`,
        )
        return `<tool_call>\n<function=${name}>\n${parameters.join('')}</function>\n</tool_call>`
      },
      '<tool_response>',
    ],
    [
      'fenced JSON',
      (name, args) => `I will:\n\`\`\`json\n${call(name, args)}\n\`\`\``,
      'Result of',
    ],
    [
      'broken JSON that can be repaired',
      (name, args) =>
        `<tool_call>${call(name, args).slice(0, -1).replace('"name"', "'name'")},</tool_call>`,
      '<tool_response>',
    ],
  ]

  it.each(dialects)('works by %s and is answered alike', async (_, write, answeredWith) => {
    const said = [
      write('write_file', edit),
      write('run_tests', {}),
      write('finish', { message: 'ok' }),
    ]
    const model = scripted(...said)
    const result = await loop(model.chat, { toolMode: 'text' })
    expect(result).toMatchObject({ stop: 'finished', output: { message: 'ok' }, steps: 3 })
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toBe(FIXED)
    const last = model.requests.at(-1)!.messages.at(-1)!
    expect(last.role).toBe('user')
    expect(last.text).toContain(answeredWith)
    expect(last.text).toContain('exit code 0')
  })

  it('is told the tools in a short system text, and offered none', async () => {
    const model = scripted('{"message": "ok"}')
    await loop(model.chat, { toolMode: 'text' })
    const { system, tools, answerSchema } = model.requests[0]!
    expect(tools).toBeUndefined()
    expect(answerSchema).toBeUndefined()
    expect(system).toContain('- edit_file {"path": string, "old_text": string, "new_text": string}')
    expect(system).toContain('- finish {"message": string, "findings"?: array}')
    expect(estimateTokens(system.length)).toBeLessThan(400)
  })

  it('is asked for text once the server has said that it cannot offer tools', async () => {
    const model = scripted(
      ({ tools }) => {
        if (tools) throw new ModelFailure('tools_unsupported', 'no tools here')
        return 'never said'
      },
      `<tool_call>${call('write_file', edit)}</tool_call>`,
      `<tool_call>${call('run_tests', {})}</tool_call>`,
      '{"message": "ok"}',
    )
    const result = await loop(model.chat)
    expect(result).toMatchObject({ stop: 'finished', output: { message: 'ok' } })
    expect(model.requests.map(({ tools }) => tools !== undefined)).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toBe(FIXED)
  })

  it('is not tried where the operator wants native calls', async () => {
    const model = scripted(() => {
      throw new ModelFailure('tools_unsupported', 'no tools here')
    })
    await expect(loop(model.chat, { toolMode: 'native' })).rejects.toThrow('no tools here')
    expect(model.requests).toHaveLength(1)
  })

  it('is offered nothing where the model can call no tools', async () => {
    const model = scripted('{"message": "ok"}')
    expect(await loop(model.chat, { toolMode: 'none' })).toMatchObject({ stop: 'finished' })
    expect(model.requests[0]).toMatchObject({ answerSchema: ANSWER })
    expect(model.requests[0]!.tools).toBeUndefined()
  })

  it('is understood also where native calls were expected', async () => {
    const model = scripted(`<tool_call>${call('write_file', edit)}</tool_call>`, done)
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 2 })
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toBe(FIXED)
  })
})

describe('a call that cannot be performed', () => {
  it.each([
    [
      'an unknown tool',
      calling('bash', { command: 'ls' }),
      'there is no tool bash; the tools are: list_files',
    ],
    ['a missing argument', calling('read_file', {}), 'send:\\nread_file with {\\"path\\": string'],
    ['unreadable arguments', calling('read_file', 'path, please'), 'not one JSON object'],
    ['a path outside', calling('read_file', { path: '../x' }), 'paths stay inside the project'],
  ])('for %s is answered with what to send instead', async (_, wrong, answer) => {
    const model = scripted(wrong, done)
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 2 })
    expect(model.lastAsked()).toContain(answer)
  })

  it('because the reply was cut off does not write half a file', async () => {
    const cut = {
      ...(calling('write_file', '{"path": "src/cart.ts", "content": "export') as object),
    }
    const model = scripted({ ...cut, stop: 'length' }, done)
    await loop(model.chat)
    expect(model.lastAsked()).toContain('cut off')
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toContain('=> 1')
  })

  it('is one too many when a reply holds a flood of them', async () => {
    const flood = Array.from({ length: 12 }, (_, i) => {
      return { id: '', name: 'write_file', input: { path: `${i}.txt`, content: 'x' } }
    })
    const model = scripted({ toolCalls: flood }, done)
    await loop(model.chat)
    expect(model.lastAsked()).toContain('not done: at most 8 calls at once')
    await expect(readFile(join(root, '8.txt'))).rejects.toThrow('ENOENT')
  })
})

describe('a model that does not get anywhere is ended', () => {
  it('when it makes the same call again and again, after a warning', async () => {
    const model = scripted(calling('read_file', { path: 'src/cart.ts' }))
    const result = await loop(model.chat)
    expect(result).toMatchObject({
      stop: 'repeated_calls',
      failure: 'loop_limit',
      output: null,
      steps: 4,
    })
    expect(result.message).toContain('src/cart.ts')
    expect(JSON.stringify(model.requests[3])).toContain('The same call again will end your work')
  })

  it('when its steps are used up, and it is told before', async () => {
    let line = 0
    const model = scripted(() =>
      calling('read_file', { path: 'src/cart.ts', first_line: ++line % 9 }),
    )
    const result = await loop(model.chat, { limits: { steps: 6 } })
    expect(result).toMatchObject({ stop: 'steps', failure: 'loop_limit', steps: 6 })
    expect(JSON.stringify(model.requests[4])).toContain('Steps left: 2')
  })

  it('when three replies in a row hold no readable call', async () => {
    const model = scripted('<tool_call>read the file</tool_call>')
    expect(await loop(model.chat)).toMatchObject({
      stop: 'format_errors',
      failure: 'bad_output',
      steps: 3,
    })
  })

  it('but a good call in between makes up for bad ones', async () => {
    const bad = '<tool_call>read</tool_call>'
    const model = scripted(bad, bad, calling('list_files'), bad, bad, done)
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 6 })
  })

  it('when it claims success without doing anything', async () => {
    const model = scripted('I have fixed the bug and all tests pass now!')
    const result = await loop(model.chat)
    expect(result).toMatchObject({
      stop: 'said_done',
      failure: 'bad_output',
      output: null,
      steps: 2,
    })
    expect(model.lastAsked()).toContain('nothing was done')
    expect(await readFile(join(root, 'src/cart.ts'), 'utf8')).toContain('=> 1')
  })

  it('when it only talks, though it quotes some JSON', async () => {
    const model = scripted(
      'The manifest is {"name": "shop", "type": "module"}. I will look into it.',
    )
    const answerSchema = { type: 'object', properties: { message: { type: 'string' } } }
    expect(await loop(model.chat, { answerSchema })).toMatchObject({ stop: 'said_done' })
  })

  it('when its tokens are spent, also on a server that does not count', async () => {
    let line = 0
    const next = () => calling('read_file', { path: 'src/cart.ts', first_line: ++line % 9 })
    const counted = scripted(() => {
      return {
        ...(next() as object),
        usage: { ...NO_USAGE, inputTokens: 500 + 100 * line, outputTokens: 400 },
      }
    })
    expect(await loop(counted.chat, { limits: { tokens: 2500 } })).toMatchObject({
      stop: 'tokens',
      steps: 3,
      usage: { inputTokens: 2100, outputTokens: 1200 },
    })
    const uncounted = scripted(next)
    const result = await loop(uncounted.chat, { limits: { tokens: 2500 } })
    expect(result).toMatchObject({ stop: 'tokens', usage: NO_USAGE })
  })

  it('when its time is over', async () => {
    let nowMs = 0
    const model = scripted(() => {
      nowMs += 50_000
      return calling('list_files', { path: nowMs % 100_000 ? 'src' : '.' })
    })
    const result = await loop(model.chat, { now: () => nowMs, limits: { wallClockMs: 120_000 } })
    expect(result).toMatchObject({ stop: 'wall_clock', failure: 'loop_limit', steps: 3 })
  })

  it('when its time is over in the middle of a call', async () => {
    const chat = (_: ChatRequest, signal: AbortSignal) =>
      once(signal, 'abort').then(() => Promise.reject(signal.reason))
    const result = await loop(chat, { limits: { wallClockMs: 30 } })
    expect(result).toMatchObject({ stop: 'wall_clock', steps: 0 })
  })

  it('when it refuses', async () => {
    const model = scripted({ text: 'I cannot help', stop: 'refusal' })
    expect(await loop(model.chat)).toMatchObject({ stop: 'refusal', failure: 'refusal' })
  })
})

describe('an invalid answer', () => {
  it('may be mended once, by a call', async () => {
    const model = scripted(calling('finish', { text: 'x' }), done)
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 2 })
    expect(model.lastAsked()).toContain('The answer is not valid')
    expect(model.requests[1]!.tools).toBeDefined()
  })

  it('as text is asked for again under the schema, so that the server can constrain it', async () => {
    const model = scripted('{"message": "a", "verdict": 1}', '{"message": "a"}')
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', output: { message: 'a' } })
    expect(model.requests[1]!).toMatchObject({ answerSchema: ANSWER })
    expect(model.lastAsked()).toContain('verdict')
  })

  it('ends the attempt the second time', async () => {
    const model = scripted(
      calling('finish', { text: 'x' }),
      calling('list_files'),
      '{"message": 1}',
    )
    const result = await loop(model.chat)
    expect(result).toMatchObject({
      stop: 'bad_output',
      failure: 'bad_output',
      steps: 3,
      output: null,
    })
    expect(result.message).toContain('message')
  })

  it('is also one that was cut off, however complete it looks once repaired', async () => {
    const cut = { text: '{"message": "three findings: first', stop: 'length' } as const
    expect(await loop(scripted(cut).chat)).toMatchObject({ stop: 'bad_output', steps: 2 })
  })
})

describe('finishing while something is missing', () => {
  it('is refused with the reason until it is done', async () => {
    let hasPassed = false
    const tools = editingTools(access(), async () => {
      const run = await runTests()
      hasPassed = run.exitCode === 0
      return run
    })
    const finishNeeds = () => (hasPassed ? null : 'the tests do not pass; call run_tests')
    const model = scripted(
      done,
      '{"message": "done"}',
      calling('write_file', { path: 'src/cart.ts', content: FIXED }),
      calling('run_tests'),
      done,
    )
    expect(await loop(model.chat, { tools, finishNeeds })).toMatchObject({
      stop: 'finished',
      steps: 5,
    })
    const texts = model.requests.map((request) => request.messages.at(-1)!.text)
    expect(texts[1]).toContain('Not finished yet: the tests do not pass')
    expect(texts[2]).toContain('Not finished yet: the tests do not pass')
  })

  it('ends a model that only repeats that it is done', async () => {
    const result = await loop(scripted(done).chat, { finishNeeds: () => 'run the tests' })
    expect(result).toMatchObject({ stop: 'repeated_calls', output: null })
  })
})

describe('a context of 32k tokens', () => {
  it('holds a long work: the oldest results go, the task and the last test output stay', async () => {
    const words = 'const value = compute(input)\n'.repeat(250)
    for (let i = 0; i < 20; i++)
      await writeFile(join(root, `src/f${i}.ts`), `// file ${i}\n${words}`)
    let turn = 0
    const model = scripted(calling('run_tests'), (request) => {
      const chars = charsIn(request.messages) + request.system.length
      expect(estimateTokens(chars) + request.maxOutputTokens).toBeLessThan(32_768)
      return turn === 20 ? done : calling('read_file', { path: `src/f${turn++}.ts` })
    })
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 22 })
    const last = JSON.stringify(model.requests.at(-1))
    expect(last).toContain('make total 2')
    expect(last).toContain('not ok 1 total')
    expect(last).toContain('file 19')
    expect(last).not.toContain('file 3\\n')
    expect(last).toContain('left out to save room')
  })

  it('is measured as the server counts, which for code is more than a token per four characters', async () => {
    const code = 'const value = compute(input)\n'.repeat(250)
    for (let i = 0; i < 16; i++) await writeFile(join(root, `src/f${i}.ts`), code)
    let turn = 0
    const model = scripted((request) => {
      const inputTokens = Math.ceil((request.system.length + charsIn(request.messages)) / 2.5)
      expect(inputTokens + request.maxOutputTokens).toBeLessThan(32_768)
      const said = turn === 16 ? done : calling('read_file', { path: `src/f${turn++}.ts` })
      return { ...(said as object), usage: { ...NO_USAGE, inputTokens, outputTokens: 20 } }
    })
    expect(await loop(model.chat)).toMatchObject({ stop: 'finished', steps: 17 })
  })

  it('is too small for a task of its size, which is said before any call', async () => {
    const model = scripted(done)
    const result = await loop(model.chat, { task: 'x '.repeat(60_000) })
    expect(result).toMatchObject({
      stop: 'context_overflow',
      failure: 'context_overflow',
      steps: 0,
    })
    expect(model.requests).toHaveLength(0)
  })

  it('that the server silently cuts down is noticed', async () => {
    const cut = { ...(done as object), usage: { ...NO_USAGE, inputTokens: 2048, outputTokens: 9 } }
    const result = await loop(scripted(cut).chat, { task: 'read this. '.repeat(4000) })
    expect(result).toMatchObject({ stop: 'context_overflow', output: null })
    expect(result.message).toContain('num_ctx')
  })
})

describe('what comes from outside passes through', () => {
  it('a failure of the model, with what the loop had spent until then', async () => {
    const usage = { ...NO_USAGE, inputTokens: 900, outputTokens: 50 }
    const model = scripted({ ...(calling('list_files') as object), usage }, () => {
      throw new ModelFailure('rate_limited', 'too many requests', { retryAfterMs: 2000 })
    })
    const failure = await loop(model.chat).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ModelFailure)
    expect(failure).toMatchObject({ failure: 'rate_limited', retryAfterMs: 2000, usage })
  })

  it('the abort of the caller, also in the middle of a call', async () => {
    const caller = new AbortController()
    const chat = async (_: ChatRequest, signal: AbortSignal): Promise<ChatReply> => {
      queueMicrotask(() => caller.abort(new Error('cancelled by the caller')))
      await once(signal, 'abort')
      throw signal.reason
    }
    await expect(loop(chat, {}, caller.signal)).rejects.toThrow('cancelled by the caller')
  })

  it('an abort before the first call', async () => {
    const model = scripted(done)
    await expect(loop(model.chat, {}, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    expect(model.requests).toHaveLength(0)
  })
})

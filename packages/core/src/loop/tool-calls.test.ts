import { describe, expect, it } from 'vitest'
import type { ToolSpec } from '../chat.ts'
import { toolCallsIn } from './tool-calls.ts'

const TOOLS: ToolSpec[] = [
  {
    name: 'read_file',
    description: 'Read.',
    input: {
      type: 'object',
      properties: { path: { type: 'string' }, first_line: { type: 'integer' } },
      required: ['path'],
    },
  },
  {
    name: 'write_file',
    description: 'Write.',
    input: {
      type: 'object',
      properties: { path: { type: 'string' }, content: { type: 'string' } },
      required: ['path', 'content'],
    },
  },
]

/** Core knows no repair library; here mending means a missing brace and single quotes. */
function mend(text: string): unknown {
  for (const end of ['', '}', '}}']) {
    try {
      return JSON.parse(text.replaceAll("'", '"') + end)
    } catch {
      // The next ending may do.
    }
  }
  return undefined
}

const inText = (text: string) => toolCallsIn({ text, toolCalls: [] }, TOOLS, mend)
const native = (name: string, input: unknown) =>
  toolCallsIn({ text: '', toolCalls: [{ id: 'a', name, input }] }, TOOLS, mend)

describe('calls that can be understood', () => {
  const read = { name: 'read_file', input: { path: 'a.ts' }, problem: null }

  it.each([
    ['hermes', '<tool_call>\n{"name": "read_file", "arguments": {"path": "a.ts"}}\n</tool_call>'],
    ['hermes', 'I look.\n<tool_call>{"name": "read_file", "arguments": {"path": "a.ts"}}'],
    ['hermes', "<tool_call>{'name': 'read_file', 'arguments': {'path': 'a.ts'}</tool_call>"],
    ['qwen', '<function=read_file>\n<parameter=path>\na.ts\n</parameter>\n</function>'],
    [
      'qwen',
      '<tool_call>\n<function=read_file>\n<parameter=path>\na.ts\n</parameter>\n</function>\n</tool_call>',
    ],
    ['qwen', '<function=read_file>{"path": "a.ts"}</function>'],
    ['fenced', 'First:\n```json\n{"name": "read_file", "arguments": {"path": "a.ts"}}\n```'],
    ['fenced', '```\n{"tool": "read_file", "input": {"path": "a.ts"}}\n```'],
    ['fenced', '{"name": "read_file", "parameters": {"path": "a.ts"}}'],
    ['fenced', '<think>{"name": "x"}</think>{"name": "read_file", "arguments": {"path": "a.ts"}}'],
  ])('are read as %s from %j', (dialect, text) => {
    expect(inText(text)).toEqual({ dialect, calls: [read] })
  })

  it('are taken from the protocol first, whatever the text says', () => {
    const text = '<tool_call>{"name": "write_file", "arguments": {}}</tool_call>'
    const toolCalls = [{ id: '', name: 'read_file', input: '{"path": "a.ts"}' }]
    expect(toolCallsIn({ text, toolCalls }, TOOLS, mend)).toEqual({
      dialect: 'native',
      calls: [read],
    })
  })

  it('get numbers from quoted numbers, strings from numbers, and lose nulls', () => {
    expect(native('read_file', { path: 7, first_line: '12' }).calls[0]?.input).toEqual({
      path: '7',
      first_line: 12,
    })
    expect(native('read_file', { path: 'a', first_line: null }).calls[0]?.input).toEqual({
      path: 'a',
    })
  })

  it('keep every character of a file that is written, also fences and tags', () => {
    const content = '# Title\n```js\nconst tag = "<b>"\n```\n  indented\n'
    const call = JSON.stringify({ name: 'write_file', arguments: { path: 'r.md', content } })
    const input = { path: 'r.md', content }
    expect(inText(`<tool_call>${call}</tool_call>`).calls[0]?.input).toEqual(input)
    expect(inText(`\`\`\`json\n${call}\n\`\`\``).calls[0]?.input).toEqual(input)
    const xml = `<function=write_file><parameter=path>r.md</parameter><parameter=content>\n${content}\n</parameter></function>`
    expect(inText(xml).calls[0]?.input).toEqual(input)
  })

  it('may be several in one reply', () => {
    const one = '<tool_call>{"name": "read_file", "arguments": {"path": "a"}}</tool_call>'
    const two = one.replace('"a"', '"b"')
    expect(inText(one + two).calls.map((call) => call.input.path)).toEqual(['a', 'b'])
  })
})

describe('texts that hold no call', () => {
  it.each([
    ['', 'All done.'],
    ['an answer that speaks of calls', '{"message": "the parser of <tool_call> is wrong"}'],
    ['an answer that looks like a call', '{"name": "Cart", "input": {"a": 1}}'],
    ['code', '```ts\nconst a = { name: 1 }\n```'],
  ])('%s', (_, text) => {
    expect(inText(text).calls).toEqual([])
  })
})

describe('calls with a problem say what to send instead, in the dialect of the model', () => {
  const problemOf = (parsed: ReturnType<typeof inText>) => parsed.calls[0]?.problem ?? ''

  it('names the tools when there is none of that name', () => {
    expect(problemOf(native('shell', { cmd: 'ls' }))).toBe(
      'there is no tool shell; the tools are: read_file, write_file',
    )
  })

  it('shows the arguments when one is missing', () => {
    const problem = problemOf(
      inText('<tool_call>{"name": "write_file", "arguments": {"path": "a"}}</tool_call>'),
    )
    expect(problem).toContain('content')
    expect(problem).toContain(
      '<tool_call>\n{"name": "write_file", "arguments": {"path": string, "content": string}}',
    )
  })

  it('shows a whole call when the JSON is beyond repair', () => {
    expect(problemOf(inText('<tool_call>read_file please</tool_call>'))).toContain(
      '<tool_call>\n{"name": "read_file"',
    )
    expect(problemOf(native('read_file', 'path a.ts'))).toContain(
      'read_file with {"path": string, "first_line"?: integer}',
    )
    expect(problemOf(inText('<function=read_file>a.ts</function>'))).toContain(
      '<function=read_file><parameter=path>…</parameter>',
    )
  })
})

import { describe, expect, it } from 'vitest'
import {
  charsIn,
  charsPerTokenIn,
  type Exchange,
  fitContext,
  isTruncated,
  messagesOf,
} from './history.ts'

function exchange(
  step: number,
  name: string,
  result: string,
  more: Partial<Exchange> = {},
): Exchange {
  const input = { path: `${step}.ts` }
  return {
    step,
    dialect: 'native',
    text: '',
    calls: [{ name, input }],
    results: [result],
    note: '',
    ...more,
  }
}

const long = (mark: string) => `${mark} ${'x'.repeat(20_000)}`

describe('fitting a conversation into a context', () => {
  const history = {
    task: 'the task',
    exchanges: [
      exchange(1, 'read_file', long('first')),
      exchange(2, 'run_tests', long('older tests')),
      exchange(3, 'run_tests', long('last tests')),
      exchange(4, 'read_file', long('fourth')),
      exchange(5, 'read_file', long('last')),
    ],
  }
  const textAt = (budget: number) => JSON.stringify(fitContext(history, budget))

  it('leaves everything when there is room', () => {
    expect(fitContext(history, 32_000)).toEqual(messagesOf(history))
  })

  it('drops the oldest result first, with a note that says how to get it back', () => {
    const text = textAt(21_000)
    expect(text).not.toContain('first x')
    expect(text).toContain('result of read_file left out to save room; call it again')
    expect(text).toContain('older tests x')
  })

  it('keeps the task, the last test output and the last exchange longest', () => {
    const text = textAt(10_500)
    expect(text).toContain('the task')
    expect(text).toContain('last tests x')
    expect(text).toContain('last x')
    expect(text).not.toMatch(/first x|older tests x|fourth x/)
  })

  it('drops whole exchanges when notes are not enough, so that no result is without its call', () => {
    const writing = exchange(1, 'write_file', 'wrote it')
    writing.calls = [{ name: 'write_file', input: { content: 'y'.repeat(20_000) } }]
    const messages = fitContext(
      { task: 't', exchanges: [writing, exchange(2, 'read_file', 'ok')] },
      1000,
    )
    expect(messages?.map((message) => message.role)).toEqual(['user', 'assistant', 'tool'])
  })

  it('gives up when the task and the last exchange alone are too long', () => {
    expect(fitContext(history, 5000)).toBeNull()
    expect(fitContext({ task: long('task'), exchanges: [] }, 4000)).toBeNull()
  })

  it('counts as many characters per token as the server was seen to count', () => {
    expect(fitContext({ task: 'x'.repeat(4000), exchanges: [] }, 1000, 4)).not.toBeNull()
    expect(fitContext({ task: 'x'.repeat(4000), exchanges: [] }, 1000, 3)).toBeNull()
    expect(charsPerTokenIn(9000, 3000)).toBe(3)
    expect(charsPerTokenIn(9000, null)).toBe(4)
    expect(charsPerTokenIn(9000, 10)).toBe(4)
  })
})

describe('answering in the dialect of the model', () => {
  const rolesAndTexts = (one: Exchange) =>
    messagesOf({ task: 't', exchanges: [one] })
      .slice(1)
      .map((message) => `${message.role}: ${message.text}`)

  it('uses tool messages for native calls, with ids that match and differ from step to step', () => {
    const two = [exchange(1, 'a', 'one'), exchange(2, 'a', 'two', { note: 'hurry' })]
    const messages = messagesOf({ task: 't', exchanges: two })
    expect(messages.map((message) => message.role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
      'tool',
      'user',
    ])
    const ids = messages.flatMap((m) =>
      m.role === 'assistant' ? m.toolCalls!.map((c) => c.id) : [],
    )
    const answered = messages.flatMap((m) => (m.role === 'tool' ? [m.callId] : []))
    expect(answered).toEqual(ids)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9]{9}$/)
  })

  it('writes results into a user message in the markup of the call', () => {
    expect(rolesAndTexts(exchange(1, 'a', 'one', { dialect: 'hermes', text: 'call' }))).toEqual([
      'assistant: call',
      'user: <tool_response>\na: one\n</tool_response>',
    ])
    expect(rolesAndTexts(exchange(1, 'a', 'one', { dialect: 'fenced', text: 'call' }))[1]).toBe(
      'user: Result of a:\n```\none\n```',
    )
  })

  it('repeats a made-up tool name only as far as any server accepts it', () => {
    const messages = messagesOf({ task: 't', exchanges: [exchange(1, 'rm -rf /; "x"', 'no')] })
    const call = messages.find((message) => message.role === 'assistant')
    expect(call?.role === 'assistant' && call.toolCalls?.[0]?.name).toMatch(/^[\w-]{1,64}$/)
  })
})

describe('noticing that a server cut the prompt', () => {
  const task = { role: 'user', text: 'x' } as const
  const sent = (chars: number, inputTokens: number | null, messages = [task]) => {
    return { chars, inputTokens, messages }
  }

  it('takes fewer tokens than any text needs as proof', () => {
    expect(isTruncated(sent(40_000, 4096), null)).toBe(true)
    expect(isTruncated(sent(40_000, 10_000), null)).toBe(false)
  })

  it('takes a count that stands still while the conversation grows as proof', () => {
    expect(isTruncated(sent(20_000, 4096), sent(16_000, 4096))).toBe(true)
    expect(isTruncated(sent(20_000, 5100), sent(16_000, 4096))).toBe(false)
  })

  it('does not compare conversations of which a part was left out', () => {
    const other = [{ role: 'user', text: 'other' } as const]
    expect(isTruncated(sent(20_000, 4096, other as never), sent(16_000, 4096))).toBe(false)
  })

  it('says nothing about servers that do not count, or count nonsense', () => {
    expect(isTruncated(sent(40_000, 12), null)).toBe(false)
    expect(isTruncated(sent(40_000, null), sent(10, 3))).toBe(false)
    expect(charsIn([task])).toBe(1)
  })
})

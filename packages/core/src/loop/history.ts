import type { ChatMessage } from '../chat.ts'
import type { JsonObject } from './loose-json.ts'
import { type Dialect, resultText } from './tool-text.ts'

/** One reply of the model and what it was answered. `results` answer `calls` one by one. */
export interface Exchange {
  /** Counted from 1. */
  step: number
  dialect: Dialect
  text: string
  calls: readonly { name: string; input: Readonly<JsonObject> }[]
  results: readonly string[]
  /** What the loop itself says after the results; empty when nothing. */
  note: string
}

export interface History {
  task: string
  exchanges: readonly Exchange[]
}

/**
 * A rule of thumb for prose and code; no tokenizer is at hand and each model has its own. Line-numbered code comes
 * nearer to 3, which is why the loop learns the ratio from the usage that servers report.
 */
export const CHARS_PER_TOKEN = 4

export function estimateTokens(chars: number, charsPerToken = CHARS_PER_TOKEN): number {
  return Math.ceil(chars / charsPerToken)
}

/** How many characters stand for a token, by what a server counted; only as far as that is plausible. */
export function charsPerTokenIn(sentChars: number, inputTokens: number | null): number {
  if (!inputTokens) return CHARS_PER_TOKEN
  return Math.min(CHARS_PER_TOKEN, Math.max(2, sentChars / inputTokens))
}

/**
 * The messages that fit into a budget, or null when even the least does not. First the oldest tool results become
 * one-line notes, then the oldest exchanges go altogether; the task, the last test output and the last exchange stay.
 */
export function fitContext(
  history: History,
  budgetTokens: number,
  charsPerToken = CHARS_PER_TOKEN,
): ChatMessage[] | null {
  const lastTests = history.exchanges.findLastIndex((one) => one.calls.some(runsTests))
  const last = history.exchanges.length - 1
  const kept: (Exchange | null)[] = [...history.exchanges]
  const messages = () => messagesOf({ ...history, exchanges: kept.filter((one) => one !== null) })
  const fits = () => estimateTokens(charsIn(messages()), charsPerToken) <= budgetTokens
  for (let i = 0; i < last && !fits(); i++) kept[i] = withoutResults(kept[i]!, i === lastTests)
  for (let i = 0; i < last && !fits(); i++) if (i !== lastTests) kept[i] = null
  return fits() ? messages() : null
}

export function messagesOf({ task, exchanges }: History): ChatMessage[] {
  return [{ role: 'user', text: task }, ...exchanges.flatMap(messagesOfExchange)]
}

/** What a server's tokenizer will see of the messages, at least. */
export function charsIn(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : []
    return sum + message.text.length + (calls.length > 0 ? JSON.stringify(calls).length : 0)
  }, 0)
}

/** A request's size, and the tokens its server counted. */
export interface Sent {
  messages: readonly ChatMessage[]
  chars: number
  inputTokens: number | null
}

/** Not even deeply indented text needs so few tokens. */
const MAX_CHARS_PER_TOKEN = 8

/** No model is served with less: a lower count is a server that counts something else. */
const SMALLEST_CONTEXT_TOKENS = 512

/**
 * Whether the server silently left out a part of what was sent, as Ollama does beyond its `num_ctx`: it counts fewer
 * tokens than the text can have, or hardly more than before although much was added.
 */
export function isTruncated(sent: Sent, before: Sent | null): boolean {
  if (sent.inputTokens === null || sent.inputTokens < SMALLEST_CONTEXT_TOKENS) return false
  if (sent.chars / MAX_CHARS_PER_TOKEN > sent.inputTokens) return true
  if (before === null || before.inputTokens === null || !isContinued(before, sent)) return false
  const added = sent.chars - before.chars
  return (
    added > 0 && sent.inputTokens < before.inputTokens + Math.floor(added / MAX_CHARS_PER_TOKEN)
  )
}

/** Only then do the counts compare: where something was left out, other text may weigh more or less. */
function isContinued(before: Sent, sent: Sent): boolean {
  return before.messages.every((message, i) => message.text === sent.messages[i]?.text)
}

function messagesOfExchange(exchange: Exchange): ChatMessage[] {
  const { step, dialect, calls, results, note } = exchange
  const text = exchange.text === '' && dialect !== 'native' ? '(nothing)' : exchange.text
  if (dialect !== 'native') {
    const parts = results.map((result, i) => resultText(dialect, calls[i]!.name, result))
    const answer = [...parts, note].filter(Boolean).join('\n\n')
    return [
      { role: 'assistant', text },
      { role: 'user', text: answer },
    ]
  }
  const toolCalls = calls.map(({ name, input }, i) => ({
    id: callId(step, i),
    name: toolName(name),
    input,
  }))
  return [
    { role: 'assistant', text, toolCalls },
    ...results.map((result, i) => {
      return {
        role: 'tool',
        callId: callId(step, i),
        toolName: toolName(calls[i]!.name),
        text: result,
      } as const
    }),
    ...(note === '' ? [] : [{ role: 'user', text: note } as const]),
  ]
}

/** Ours, since servers may send none or the same one twice; Mistral's models want exactly nine letters and digits. */
function callId(step: number, index: number): string {
  return `call${String(step).padStart(3, '0')}${String(index).padStart(2, '0')}`
}

/** A name a model made up must not make its server refuse the rest of the conversation. */
function toolName(name: string): string {
  return name.replace(/[^\w-]/g, '_').slice(0, 64) || 'unknown'
}

function withoutResults(exchange: Exchange, keepsTests: boolean): Exchange {
  const results = exchange.results.map((result, i) => {
    const call = exchange.calls[i]!
    if (keepsTests && runsTests(call)) return result
    const note = `(result of ${call.name} left out to save room; call it again if you need it)`
    return note.length < result.length ? note : result
  })
  return { ...exchange, results }
}

function runsTests(call: { name: string }): boolean {
  return call.name === 'run_tests'
}

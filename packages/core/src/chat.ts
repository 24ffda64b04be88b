import type { JsonSchema } from './json-schema.ts'

/**
 * Tokens of one or more calls. `null` means the server did not say, which is not the same as 0.
 * `inputTokens` is everything the model read, what the cache served or stored included.
 */
export interface Usage {
  inputTokens: number | null
  outputTokens: number | null
  cacheReadTokens: number | null
  cacheWriteTokens: number | null
  /** Those of `cacheWriteTokens` that the cache keeps for an hour, which costs more; absent where there are none. */
  cacheWrite1hTokens?: number
}

export const NO_USAGE: Usage = {
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
}

/** Adds what is known; a figure that neither side knows stays unknown. */
export function addUsage(a: Usage, b: Usage): Usage {
  const sum = (x: number | null, y: number | null) => (x === null ? y : y === null ? x : x + y)
  const writtenFor1h = (a.cacheWrite1hTokens ?? 0) + (b.cacheWrite1hTokens ?? 0)
  return {
    inputTokens: sum(a.inputTokens, b.inputTokens),
    outputTokens: sum(a.outputTokens, b.outputTokens),
    cacheReadTokens: sum(a.cacheReadTokens, b.cacheReadTokens),
    cacheWriteTokens: sum(a.cacheWriteTokens, b.cacheWriteTokens),
    ...(writtenFor1h > 0 ? { cacheWrite1hTokens: writtenFor1h } : {}),
  }
}

/** A tool as it is offered to a model; what it does is the loop's business. */
export interface ToolSpec {
  name: string
  description: string
  input: JsonSchema
}

/** `input` is what the model wrote: an object when it parsed, else the raw text. */
export interface ToolCall {
  id: string
  name: string
  input: unknown
}

export type ChatMessage =
  | { role: 'user'; text: string }
  | { role: 'assistant'; text: string; toolCalls?: readonly ToolCall[] }
  | { role: 'tool'; callId: string; toolName: string; text: string }

/** How long one call may take; what is absent is not limited. */
export interface CallTimeouts {
  /** Until the first text, reasoning or tool call: loading the model and reading the prompt. */
  firstTokenMs?: number
  /** Between two pieces of output. */
  stallMs?: number
  totalMs?: number
}

export interface ChatRequest {
  model: string
  system: string
  messages: readonly ChatMessage[]
  /** Never together with `answerSchema`: local servers' grammars exclude tool tokens. */
  tools?: readonly ToolSpec[]
  /** Asked of the server where it can; the caller validates the answer in any case. */
  answerSchema?: JsonSchema
  maxOutputTokens: number
  temperature?: number
  timeouts?: CallTimeouts
}

export interface ChatReply {
  /** Without `<think>` blocks. */
  text: string
  toolCalls: readonly ToolCall[]
  stop: 'end' | 'length' | 'tool_calls' | 'refusal' | 'other'
  usage: Usage
  /** How long the server loaded the model for this call; absent where it does not tell. */
  loadMs?: number
}

/**
 * One call of one model, never retried here (`decide` owns retries).
 * @throws {ModelFailure} for everything but a usable reply; the caller's abort is rethrown as is.
 */
export type ChatModel = (request: ChatRequest, signal: AbortSignal) => Promise<ChatReply>

/** A model call as both protocols mean it. */
export interface Asked {
  protocol: 'openai' | 'anthropic'
  /** As the client wrote it. */
  model: string
  /** The first word of the first heading of the system text; empty when there is none. */
  skill: string
  system: string
  /** The request's whole JSON body. */
  body: Record<string, unknown>
  /** Everything the model would read: system text, messages, tool calls and tool results. */
  promptText: string
  /** How many turns the model has already had. */
  turnsTaken: number
  offersTools: boolean
  /** The tool through which the client wants the answer, as Claude Code does it; null when as text. */
  answerTool: string | null
  stream: boolean
  /** Whether the client asked for a prompt cache over the system text. */
  cachesSystem: boolean
}

export interface Said {
  id: string
  model: string
  text: string
  reasoning: string
  /** An input that is a string is sent verbatim: models do write broken JSON. */
  calls: readonly { id: string; name: string; input: Record<string, unknown> | string }[]
  stop: 'end' | 'tool_calls' | 'length' | 'refusal'
  /** null when the server keeps it to itself; `inputTokens` includes what the cache gave or took. */
  usage: {
    inputTokens: number
    outputTokens: number
    cacheReadTokens: number
    cacheWriteTokens: number
  } | null
}

/** Server-sent events; a stalling server stops among the `pieces`. */
export interface EventStream {
  opening: string
  pieces: readonly string[]
  closing: string
}

/** One protocol: how to read a request, and how to say a reply or an error. */
export interface Wire {
  protocol: Asked['protocol']
  /** null when the body is no request of this protocol. */
  read(body: Record<string, unknown>): Asked | null
  whole(said: Said): unknown
  events(said: Said, asked: Asked): EventStream
  error(status: number, message: string): unknown
}

/** About four characters to a token, as English and code have it: deterministic and plausible. */
export function tokensIn(text: string): number {
  return Math.ceil(text.length / 4)
}

export function skillIn(system: string): string {
  return /^#+[ \t]+(\S+)/m.exec(system)?.[1] ?? ''
}

const PIECE_CHARS = 200

export function piecesOf(text: string): string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length; at += PIECE_CHARS)
    pieces.push(text.slice(at, at + PIECE_CHARS))
  return pieces
}

/** A tool call's arguments as a model writes them. */
export function argumentsText(input: Said['calls'][number]['input']): string {
  return typeof input === 'string' ? input : JSON.stringify(input)
}

type Part = { type?: string; text?: unknown; content?: unknown; name?: unknown; input?: unknown }

/** The text of a message's content in either protocol, tool calls and results included. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: Part) => textOfPart(part)).join('\n')
}

function textOfPart(part: Part): string {
  if (typeof part.text === 'string') return part.text
  if (part.type === 'tool_use') return `${part.name} ${JSON.stringify(part.input)}`
  return textOf(part.content)
}

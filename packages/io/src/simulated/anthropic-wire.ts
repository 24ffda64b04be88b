import {
  type Asked,
  argumentsText,
  type EventStream,
  piecesOf,
  type Said,
  skillIn,
  textOf,
  type Wire,
} from './exchange.ts'

interface Message {
  role?: string
  content?: unknown
}

const STOP = {
  end: 'end_turn',
  tool_calls: 'tool_use',
  length: 'max_tokens',
  refusal: 'refusal',
} as const satisfies Record<Said['stop'], string>

const ERROR_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

/**
 * Anthropic messages.
 * @see https://platform.claude.com/docs/en/api/messages and …/api/errors for the error shape
 */
export const anthropicWire: Wire = { protocol: 'anthropic', read, whole, events, error }

function read(body: Record<string, unknown>): Asked | null {
  if (typeof body.model !== 'string' || !Array.isArray(body.messages)) return null
  if (typeof body.max_tokens !== 'number') return null
  const messages = body.messages as Message[]
  const system = textOf(body.system)
  return {
    protocol: 'anthropic',
    model: body.model,
    skill: skillIn(system),
    system,
    body,
    promptText: [system, ...messages.map((message) => textOf(message.content))].join('\n'),
    turnsTaken: messages.filter((message) => message.role === 'assistant').length,
    offersTools: Array.isArray(body.tools) && body.tools.length > 0,
    answerTool: hasTool(body.tools, STRUCTURED_OUTPUT) ? STRUCTURED_OUTPUT : null,
    stream: body.stream === true,
    cachesSystem:
      Array.isArray(body.system) &&
      body.system.some((block) => Object.hasOwn(block, 'cache_control')),
  }
}

/** Claude Code has no other way to ask for an answer of a certain shape. */
const STRUCTURED_OUTPUT = 'StructuredOutput'

function hasTool(tools: unknown, name: string): boolean {
  return Array.isArray(tools) && tools.some((tool: { name?: unknown }) => tool.name === name)
}

function whole(said: Said): unknown {
  return { ...envelope(said), content: blocksOf(said), stop_reason: STOP[said.stop] }
}

function envelope(said: Said) {
  return {
    id: said.id,
    type: 'message',
    role: 'assistant',
    model: said.model,
    content: [] as unknown[],
    stop_reason: null,
    stop_sequence: null,
    usage: usageOf(said),
  }
}

function blocksOf(said: Said): unknown[] {
  return [
    ...(said.reasoning === ''
      ? []
      : [{ type: 'thinking', thinking: said.reasoning, signature: 'simulated' }]),
    ...(said.text === '' ? [] : [{ type: 'text', text: said.text }]),
    ...said.calls.map((call) => ({ type: 'tool_use', ...call })),
  ]
}

function events(said: Said): EventStream {
  const usage = usageOf(said)
  return {
    opening: event('message_start', {
      message: { ...envelope(said), usage: { ...usage, output_tokens: 1 } },
    }),
    pieces: pieceEvents(said),
    closing:
      event('message_delta', {
        delta: { stop_reason: STOP[said.stop], stop_sequence: null },
        usage,
      }) + event('message_stop', {}),
  }
}

/** Each block opens with its first piece and closes with its last. */
function pieceEvents(said: Said): string[] {
  const blocks: { block: unknown; deltas: unknown[] }[] = []
  if (said.reasoning !== '') {
    blocks.push({
      block: { type: 'thinking', thinking: '', signature: '' },
      deltas: [
        ...piecesOf(said.reasoning).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature: 'simulated' },
      ],
    })
  }
  if (said.text !== '') {
    blocks.push({
      block: { type: 'text', text: '' },
      deltas: piecesOf(said.text).map((text) => ({ type: 'text_delta', text })),
    })
  }
  for (const { id, name, input } of said.calls) {
    blocks.push({
      block: { type: 'tool_use', id, name, input: {} },
      deltas: [{ type: 'input_json_delta', partial_json: argumentsText(input) }],
    })
  }
  return blocks.flatMap(({ block, deltas }, index) =>
    deltas.map((delta, i) => {
      const start = i === 0 ? event('content_block_start', { index, content_block: block }) : ''
      const stop = i === deltas.length - 1 ? event('content_block_stop', { index }) : ''
      return start + event('content_block_delta', { index, delta }) + stop
    }),
  )
}

function event(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
}

/** Unlike OpenAI's, Anthropic's input count leaves out what the cache served or stored. */
function usageOf({ usage }: Said) {
  const {
    inputTokens = 0,
    outputTokens = 0,
    cacheReadTokens = 0,
    cacheWriteTokens = 0,
  } = usage ?? {}
  return {
    input_tokens: inputTokens - cacheReadTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cacheReadTokens,
    output_tokens: outputTokens,
  }
}

function error(status: number, message: string): unknown {
  const type = ERROR_TYPES[status] ?? 'api_error'
  return { type: 'error', error: { type, message }, request_id: 'req_simulated' }
}

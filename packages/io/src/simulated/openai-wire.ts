import {
  type Asked,
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
  tool_calls?: { function?: { name?: string; arguments?: string } }[]
}

const FINISH = {
  end: 'stop',
  tool_calls: 'tool_calls',
  length: 'length',
  refusal: 'content_filter',
} as const satisfies Record<Said['stop'], string>

/**
 * OpenAI chat completions, as LiteLLM and the local servers speak it.
 * @see https://platform.openai.com/docs/api-reference/chat
 */
export const openAiWire: Wire = { protocol: 'openai', read, whole, events, error }

function read(body: Record<string, unknown>): Asked | null {
  if (typeof body.model !== 'string' || !Array.isArray(body.messages)) return null
  const messages = body.messages as Message[]
  const system = messages
    .filter((message) => message.role === 'system' || message.role === 'developer')
    .map((message) => textOf(message.content))
    .join('\n')
  return {
    protocol: 'openai',
    model: body.model,
    skill: skillIn(system),
    system,
    body,
    promptText: messages.map(textOfMessage).join('\n'),
    turnsTaken: messages.filter((message) => message.role === 'assistant').length,
    offersTools: Array.isArray(body.tools) && body.tools.length > 0,
    stream: body.stream === true,
    cachesSystem: false,
  }
}

function textOfMessage(message: Message): string {
  const calls = (message.tool_calls ?? []).map(
    (call) => `${call.function?.name} ${call.function?.arguments}`,
  )
  return [textOf(message.content), ...calls].join('\n')
}

function whole(said: Said): unknown {
  const message = {
    role: 'assistant',
    content: said.text === '' && said.calls.length > 0 ? null : said.text,
    ...(said.reasoning === '' ? {} : { reasoning_content: said.reasoning }),
    ...(said.calls.length === 0 ? {} : { tool_calls: said.calls.map(callOf) }),
  }
  return {
    id: said.id,
    object: 'chat.completion',
    created: 0,
    model: said.model,
    choices: [{ index: 0, message, finish_reason: FINISH[said.stop] }],
    ...(said.usage ? { usage: usageOf(said.usage) } : {}),
  }
}

function events(said: Said, asked: Asked): EventStream {
  const chunk = (delta: unknown, finishReason: string | null = null) =>
    eventOf(said, [{ index: 0, delta, finish_reason: finishReason }])
  const options = asked.body.stream_options as { include_usage?: boolean } | undefined
  const usage = said.usage && options?.include_usage ? eventOf(said, [], usageOf(said.usage)) : ''
  return {
    opening: chunk({ role: 'assistant', content: '' }),
    pieces: [
      ...piecesOf(said.reasoning).map((piece) => chunk({ reasoning_content: piece })),
      ...piecesOf(said.text).map((piece) => chunk({ content: piece })),
      ...said.calls.map((call, index) => chunk({ tool_calls: [{ index, ...callOf(call) }] })),
    ],
    closing: `${chunk({}, FINISH[said.stop])}${usage}data: [DONE]\n\n`,
  }
}

function eventOf(said: Said, choices: unknown[], usage?: unknown): string {
  const chunk = {
    id: said.id,
    object: 'chat.completion.chunk',
    created: 0,
    model: said.model,
    choices,
    usage,
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

function callOf(call: Said['calls'][number]) {
  return {
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.input) },
  }
}

function usageOf(usage: NonNullable<Said['usage']>) {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
  }
}

function error(status: number, message: string): unknown {
  const type = status < 500 ? 'invalid_request_error' : 'server_error'
  return { error: { message, type, param: null, code: String(status) } }
}

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
  tool_calls?: { function?: { name?: string; arguments?: string } }[]
}

const FINISH = {
  end: 'stop',
  tool_calls: 'tool_calls',
  length: 'length',
  refusal: 'content_filter',
} as const satisfies Record<Said['stop'], string>

/** Where a server puts what the model thinks. */
export type ReasoningField = 'reasoning_content' | 'reasoning'

/**
 * OpenAI chat completions, as LiteLLM and the local servers speak it.
 * @param tellsTimings llama.cpp tells besides how long it read and wrote
 * @see https://platform.openai.com/docs/api-reference/chat
 */
export function openAiWire(
  reasoningField: ReasoningField,
  { tellsTimings = false }: { tellsTimings?: boolean } = {},
): Wire {
  const timings = (said: Said) => (tellsTimings ? { timings: timingsOf(said) } : {})
  return {
    protocol: 'openai',
    read,
    whole: (said) => ({ ...whole(said, reasoningField), ...timings(said) }),
    events: (said, asked) => events(said, asked, reasoningField, timings(said)),
    error,
  }
}

function timingsOf({ usage }: Said) {
  const { inputTokens = 0, outputTokens = 0 } = usage ?? {}
  return {
    cache_n: 0,
    prompt_n: inputTokens,
    prompt_ms: 1,
    predicted_n: outputTokens,
    predicted_ms: 1,
  }
}

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
    answerTool: null,
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

function whole(said: Said, reasoningField: ReasoningField): object {
  const message = {
    role: 'assistant',
    content: said.text === '' && said.calls.length > 0 ? null : said.text,
    ...(said.reasoning === '' ? {} : { [reasoningField]: said.reasoning }),
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

function events(
  said: Said,
  asked: Asked,
  reasoningField: ReasoningField,
  timings: object,
): EventStream {
  const chunk = (delta: unknown, finishReason: string | null = null) =>
    eventOf(said, [{ index: 0, delta, finish_reason: finishReason }])
  const options = asked.body.stream_options as { include_usage?: boolean } | undefined
  const usage =
    said.usage && options?.include_usage ? eventOf(said, [], usageOf(said.usage), timings) : ''
  return {
    opening: chunk({ role: 'assistant', content: '' }),
    pieces: [
      ...piecesOf(said.reasoning).map((piece) => chunk({ [reasoningField]: piece })),
      ...piecesOf(said.text).map((piece) => chunk({ content: piece })),
      ...said.calls.map((call, index) => chunk({ tool_calls: [{ index, ...callOf(call) }] })),
    ],
    closing: `${chunk({}, FINISH[said.stop])}${usage}data: [DONE]\n\n`,
  }
}

function eventOf(said: Said, choices: unknown[], usage?: unknown, more: object = {}): string {
  const chunk = {
    id: said.id,
    object: 'chat.completion.chunk',
    created: 0,
    model: said.model,
    choices,
    usage,
    ...more,
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

function callOf(call: Said['calls'][number]) {
  return {
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: argumentsText(call.input) },
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

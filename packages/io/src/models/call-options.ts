import { supportsNativeStructuredOutputSchema } from '@ai-sdk/anthropic/internal'
import type {
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
} from '@ai-sdk/provider'
import type { ChatMessage, ChatRequest } from '@hyperguild/core/chat.ts'

const CACHED = { anthropic: { cacheControl: { type: 'ephemeral' } } } as const

/** A request as an OpenAI-compatible server gets it. */
export function localCallOptions(request: ChatRequest): LanguageModelV4CallOptions {
  return {
    ...commonOptions(request),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.answerSchema ? { responseFormat: jsonFormat(request.answerSchema) } : {}),
  }
}

/**
 * A request as Anthropic gets it: no temperature, which current models refuse; the system text, and in a loop the whole
 * conversation, marked for the prompt cache. A schema Anthropic's decoder cannot hold without loss (open objects,
 * recursion, many optional properties) is left to the prompt, because the SDK's other way is to force a tool call,
 * which current models refuse too.
 */
export function cloudCallOptions(request: ChatRequest): LanguageModelV4CallOptions {
  const { tools, answerSchema } = request
  const isConstrainable =
    answerSchema !== undefined && supportsNativeStructuredOutputSchema(answerSchema as JSONSchema7)
  return {
    ...commonOptions(request),
    ...(isConstrainable ? { responseFormat: jsonFormat(answerSchema) } : {}),
    ...(tools?.length ? { providerOptions: CACHED } : {}),
  }
}

function commonOptions(request: ChatRequest): LanguageModelV4CallOptions {
  return {
    prompt: [
      { role: 'system', content: request.system, providerOptions: CACHED },
      ...request.messages.map(promptMessage),
    ],
    maxOutputTokens: request.maxOutputTokens,
    ...(request.tools?.length
      ? {
          tools: request.tools.map(({ name, description, input }) => ({
            type: 'function',
            name,
            description,
            inputSchema: input as JSONSchema7,
          })),
        }
      : {}),
  }
}

function jsonFormat(schema: NonNullable<ChatRequest['answerSchema']>) {
  return { type: 'json', schema: schema as JSONSchema7, name: 'answer' } as const
}

function promptMessage(message: ChatMessage): LanguageModelV4Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: [{ type: 'text', text: message.text }] }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
          ...(message.toolCalls ?? []).map(({ id, name, input }) => ({
            type: 'tool-call' as const,
            toolCallId: id,
            toolName: name,
            // Anthropic and the templates of many local models refuse arguments that are no object.
            input: isObject(input) ? input : { unparsed: input },
          })),
        ],
      }
    case 'tool':
      return {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: message.callId,
            toolName: message.toolName,
            output: { type: 'text', value: message.text },
          },
        ],
      }
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { supportsNativeStructuredOutputSchema } from '@ai-sdk/anthropic/internal'
import type {
  JSONObject,
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
} from '@ai-sdk/provider'
import type { CallSettings } from '@hyperguild/core/backend.ts'
import type { ChatMessage, ChatRequest } from '@hyperguild/core/chat.ts'
import { type Dialect, isClosed } from './dialects.ts'

const CACHED = { anthropic: { cacheControl: { type: 'ephemeral' } } } as const

/** The name of our OpenAI-compatible provider, under which its options stand. */
export const PROVIDER = 'server'

/** A request as a server gets it that speaks OpenAI chat completions. */
export function openAiCallOptions(
  request: ChatRequest,
  settings: CallSettings,
  dialect: Dialect,
): LanguageModelV4CallOptions {
  const { answerSchema } = request
  const temperature =
    settings.temperature ?? (dialect.takesTemperature ? request.temperature : undefined)
  const strictJsonSchema =
    dialect.takesStrict && answerSchema !== undefined && isClosed(answerSchema)
  return {
    ...commonOptions(request),
    ...(temperature === undefined ? {} : { temperature }),
    ...(answerSchema ? { responseFormat: jsonFormat(answerSchema) } : {}),
    // The types of options are JSON; what a dialect sends is.
    providerOptions: {
      [PROVIDER]: { strictJsonSchema, ...dialect.thinking(settings) } as JSONObject,
    },
  }
}

/**
 * A request as Anthropic gets it: no temperature, which current models refuse; the system text, and in a loop the whole
 * conversation, marked for the prompt cache. A schema Anthropic's decoder cannot hold without loss (open objects,
 * recursion, many optional properties) is left to the prompt, because the SDK's other way is to force a tool call,
 * which current models refuse too.
 */
export function anthropicCallOptions(
  request: ChatRequest,
  { effort, reasoning }: CallSettings,
): LanguageModelV4CallOptions {
  const { tools, answerSchema } = request
  const isConstrainable =
    answerSchema !== undefined && supportsNativeStructuredOutputSchema(answerSchema as JSONSchema7)
  const anthropic = {
    ...(tools?.length ? CACHED.anthropic : {}),
    ...(effort === null || reasoning !== null ? {} : { effort }),
    structuredOutputMode: 'outputFormat',
  }
  return {
    ...commonOptions(request),
    ...(isConstrainable ? { responseFormat: jsonFormat(answerSchema) } : {}),
    // The provider knows what each model makes of a level, and of none.
    ...(reasoning === 'off' ? { reasoning: 'none' } : {}),
    ...(reasoning === 'on' ? { reasoning: effort ?? 'medium' } : {}),
    providerOptions: { anthropic },
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

import type { CallSettings } from '@hyperguild/core/backend.ts'
import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import type { JsonSchema } from '@hyperguild/core/json-schema.ts'

/** A server that speaks OpenAI chat completions. */
export type OpenAiKind = Exclude<BackendKind, 'anthropic'>

/** What of OpenAI chat completions a kind of server wants differently. */
export interface Dialect {
  /** Body fields that steer how much the model thinks. */
  thinking(settings: CallSettings): Record<string, unknown>
  /** Whether `strict: true` is understood; others ignore it or refuse the request. */
  takesStrict: boolean
  /** Whether a temperature of ours may be sent; current OpenAI models refuse any. */
  takesTemperature: boolean
  tokenLimit: 'max_tokens' | 'max_completion_tokens'
  /** Whether reasoning may be the server's own talk while it loads the model. */
  talksWhileLoading: boolean
}

const LOCAL = {
  takesStrict: false,
  takesTemperature: true,
  tokenLimit: 'max_tokens',
  talksWhileLoading: false,
} as const

/**
 * @see https://docs.ollama.com/api/openai-compatibility: `reasoning_effort`, of which `none` turns thinking off
 * @see https://github.com/ggml-org/llama.cpp tools/server/README.md: `chat_template_kwargs`
 * @see https://github.com/mostlygeek/llama-swap: `sendLoadingState` writes into the reasoning stream
 */
export const DIALECTS = {
  litellm: { ...LOCAL, thinking: effortField },
  ollama: { ...LOCAL, thinking: effortField },
  'llama-swap': { ...LOCAL, thinking: templateArguments, talksWhileLoading: true },
  'lm-studio': { ...LOCAL, thinking: effortField },
  'llama-cpp': { ...LOCAL, thinking: templateArguments },
  vllm: { ...LOCAL, thinking: effortAndTemplate },
  openai: {
    thinking: effortField,
    takesStrict: true,
    takesTemperature: false,
    tokenLimit: 'max_completion_tokens',
    talksWhileLoading: false,
  },
} as const satisfies Record<OpenAiKind, Dialect>

function effortField({ effort, reasoning }: CallSettings): Record<string, unknown> {
  const level = reasoning === 'off' ? 'none' : (effort ?? (reasoning === 'on' ? 'medium' : null))
  return level === null ? {} : { reasoning_effort: level }
}

function templateArguments({ effort, reasoning }: CallSettings): Record<string, unknown> {
  if (effort === null && reasoning === null) return {}
  return {
    chat_template_kwargs: {
      ...(reasoning === null ? {} : { enable_thinking: reasoning === 'on' }),
      ...(effort === null ? {} : { reasoning_effort: effort }),
    },
  }
}

function effortAndTemplate({ effort, reasoning }: CallSettings): Record<string, unknown> {
  return {
    ...(effort === null ? {} : { reasoning_effort: effort }),
    ...(reasoning === null
      ? {}
      : { chat_template_kwargs: { enable_thinking: reasoning === 'on' } }),
  }
}

/** Whether every object of a schema is closed and has only required properties, as OpenAI's strict mode demands. */
export function isClosed(schema: JsonSchema): boolean {
  const { type, properties, required, additionalProperties, items } = schema
  if (isSchema(items) && !isClosed(items)) return false
  if (type !== 'object') return true
  if (additionalProperties !== false || !isSchema(properties)) return false
  const needed = Array.isArray(required) ? required : []
  return Object.entries(properties).every(
    ([name, property]) => needed.includes(name) && isSchema(property) && isClosed(property),
  )
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

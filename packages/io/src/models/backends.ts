import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import type { ChatRequest } from '@hyperguild/core/chat.ts'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { Agent, fetch } from 'undici'
import { cloudCallOptions, localCallOptions } from './call-options.ts'
import type { Callee } from './classify-failure.ts'

/** One tier's way to its models. */
export interface Backend {
  callee: Omit<Callee, 'model'>
  model(name: string): LanguageModelV4
  callOptions(request: ChatRequest): LanguageModelV4CallOptions
}

export interface Endpoint {
  /** With or without `/v1` at its end. */
  baseUrl: string
  apiKey?: string | undefined
}

type Fetch = typeof globalThis.fetch

/** @throws {ConfigError} */
export function localBackend(endpoint: Endpoint, fetchModel: Fetch): Backend {
  const variables = { urlVariable: 'LITELLM_BASE_URL', keyVariable: 'LITELLM_API_KEY' }
  const { baseURL, where } = addressOf(endpoint.baseUrl, variables)
  const provider = createOpenAICompatible({
    name: 'local',
    baseURL,
    ...(endpoint.apiKey === undefined ? {} : { apiKey: endpoint.apiKey }),
    includeUsage: true,
    supportsStructuredOutputs: true,
    convertUsage: localUsage,
    fetch: fetchModel,
  })
  return {
    callee: { where, ...variables },
    model: oncePerName((name) => provider.chatModel(name)),
    callOptions: localCallOptions,
  }
}

/**
 * URL and key are always given, because the provider would look into the environment for what is not.
 * @throws {ConfigError}
 */
export function cloudBackend(endpoint: Endpoint, fetchModel: Fetch): Backend {
  const variables = { urlVariable: 'ANTHROPIC_BASE_URL', keyVariable: 'ANTHROPIC_API_KEY' }
  const { baseURL, where } = addressOf(endpoint.baseUrl, variables)
  const provider = createAnthropic({ baseURL, apiKey: endpoint.apiKey ?? '', fetch: fetchModel })
  return {
    callee: { where, ...variables },
    model: oncePerName((name) => provider.messages(name)),
    callOptions: cloudCallOptions,
  }
}

/** Node's own fetch gives up after 300 s without headers or data; a cold model may need longer, and limits are ours. */
export function fetchWithoutTimeLimits(): Fetch {
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const fetchModel: typeof fetch = (input, init) => fetch(input, { ...init, dispatcher })
  return fetchModel as unknown as Fetch
}

/** Making a model builds schemas, which takes longer than everything else in a call to a fast server. */
function oncePerName(make: (name: string) => LanguageModelV4): (name: string) => LanguageModelV4 {
  const made = new Map<string, LanguageModelV4>()
  return (name) => made.get(name) ?? made.set(name, make(name)).get(name)!
}

/** Credentials in the URL are refused by fetch, and messages would show them. */
function addressOf(
  baseUrl: string,
  variables: { urlVariable: string; keyVariable: string },
): { baseURL: string; where: string } {
  const { username, password, host } = new URL(baseUrl)
  if (username !== '' || password !== '') {
    const { urlVariable, keyVariable } = variables
    throw new ConfigError(`${urlVariable}: holds credentials; put the key into ${keyVariable}`)
  }
  return { baseURL: `${baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`, where: host }
}

/** A figure of an OpenAI-compatible usage; servers leave some out. */
type Figure = number | null | undefined

/** The provider's own conversion makes 0 of figures that the server did not send. */
function localUsage(
  usage:
    | {
        prompt_tokens?: Figure
        completion_tokens?: Figure
        prompt_tokens_details?: { cached_tokens?: Figure } | null | undefined
      }
    | null
    | undefined,
): LanguageModelV4Usage {
  return {
    inputTokens: {
      total: usage?.prompt_tokens ?? undefined,
      noCache: undefined,
      cacheRead: usage?.prompt_tokens_details?.cached_tokens ?? undefined,
      cacheWrite: undefined,
    },
    outputTokens: {
      total: usage?.completion_tokens ?? undefined,
      text: undefined,
      reasoning: undefined,
    },
  }
}

import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible, type MetadataExtractor } from '@ai-sdk/openai-compatible'
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import type { CallSettings } from '@hyperguild/core/backend.ts'
import type { ChatRequest } from '@hyperguild/core/chat.ts'
import { oncePerName } from '@hyperguild/core/once-per-name.ts'
import { Agent, fetch } from 'undici'
import { anthropicCallOptions, openAiCallOptions, PROVIDER } from './call-options.ts'
import type { Callee } from './classify-failure.ts'
import { DIALECTS, type OpenAiKind } from './dialects.ts'
import type { Server } from './endpoints.ts'

/** How to speak to one server. */
export interface Speaker {
  callee: Omit<Callee, 'model'>
  talksWhileLoading: boolean
  model(servedName: string): LanguageModelV4
  callOptions(request: ChatRequest, settings: CallSettings): LanguageModelV4CallOptions
}

type Fetch = typeof globalThis.fetch

export function speakerFor(server: Server, fetchModel: Fetch): Speaker {
  const { kind } = server
  return kind === 'anthropic'
    ? anthropicSpeaker(server, fetchModel)
    : openAiSpeaker(server, kind, fetchModel)
}

function openAiSpeaker(server: Server, kind: OpenAiKind, fetchModel: Fetch): Speaker {
  const { baseURL, callee } = addressOf(server)
  const dialect = DIALECTS[kind]
  const provider = createOpenAICompatible({
    name: PROVIDER,
    baseURL,
    ...(server.apiKey === undefined ? {} : { apiKey: server.apiKey }),
    includeUsage: true,
    supportsStructuredOutputs: true,
    convertUsage: openAiUsage,
    metadataExtractor: loadTimes,
    transformRequestBody: ({ max_tokens, ...body }) => ({
      ...body,
      ...(max_tokens === undefined ? {} : { [dialect.tokenLimit]: max_tokens }),
    }),
    fetch: fetchModel,
  })
  return {
    callee,
    talksWhileLoading: dialect.talksWhileLoading,
    model: oncePerName((name) => provider.chatModel(name)), // making one builds its schemas, which is slow
    callOptions: (request, settings) => openAiCallOptions(request, settings, dialect),
  }
}

/** Ollama says in nanoseconds how long it loaded the model, 0 where it had it. */
const loadTimes: MetadataExtractor = {
  extractMetadata: async () => undefined,
  createStreamExtractor() {
    let loadMs: number | undefined
    return {
      processChunk(chunk) {
        const { load_duration: ns } = (chunk ?? {}) as { load_duration?: unknown }
        if (typeof ns === 'number') loadMs = Math.round(ns / 1e6)
      },
      buildMetadata: () => (loadMs === undefined ? undefined : { [PROVIDER]: { loadMs } }),
    }
  },
}

/** The key is always given, because the provider would look into the environment for one. */
function anthropicSpeaker(server: Server, fetchModel: Fetch): Speaker {
  const { baseURL, callee } = addressOf(server)
  const provider = createAnthropic({ baseURL, apiKey: server.apiKey ?? '', fetch: fetchModel })
  return {
    callee,
    talksWhileLoading: false,
    model: oncePerName((name) => provider.messages(name)),
    callOptions: anthropicCallOptions,
  }
}

/** Node's own fetch gives up after 300 s without headers or data; a cold model may need longer, and limits are ours. */
export function fetchWithoutTimeLimits(): Fetch {
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const fetchModel: typeof fetch = (input, init) => fetch(input, { ...init, dispatcher })
  return fetchModel as unknown as Fetch
}

function addressOf({ url, urlSetting, keyEnv, name }: Server) {
  const keySetting = keyEnv ?? `backends.${name}.key_env in models.yaml`
  const callee = { where: new URL(url).host, urlSetting, keySetting }
  return { baseURL: `${rootOf(url)}/v1`, callee }
}

/** A server's URL without the `/v1` that many write, and without a slash at its end. */
export function rootOf(url: string): string {
  return url.replace(/\/+$/, '').replace(/\/v1$/, '')
}

/** A figure of an OpenAI-compatible usage; servers leave some out. */
type Figure = number | null | undefined

/** The provider's own conversion makes 0 of figures that the server did not send. */
function openAiUsage(
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

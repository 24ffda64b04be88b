import { serverNameOf } from '@hyperguild/core/model.ts'
import type { ModelMemory } from './model-memory.ts'
import type { Script } from './script.ts'

/** What a product's own pages are made of. */
export interface Machine {
  script: Script
  memory: ModelMemory
  /** Calls under way. */
  inFlight(): number
  /** Calls at once that are not refused; null when there is no such limit. */
  parallelCalls: number | null
  /** Tokens. */
  contextTokens: number
}

export type ProductRoute = (machine: Machine, query: URLSearchParams) => Response
export type ProductRoutes = Readonly<Record<string, ProductRoute>>

/** Every model the script names, under the names of the server itself. */
function namesIn({ rules, load_ms }: Script): string[] {
  const named = rules.flatMap((rule) => rule.model ?? [])
  return [...new Set([...named, ...load_ms.keys()])].map(serverNameOf)
}

const json = (body: unknown, status = 200) => Response.json(body, { status })
const text = (body: string) => () => new Response(body)

/** Holds what OpenAI's list and what Anthropic's list hold of each model. */
export const listing: ProductRoute = ({ script }) => {
  const data = namesIn(script).map((id) => ({
    id,
    object: 'model',
    created: 0,
    owned_by: 'simulated',
    type: 'model',
    display_name: id,
    created_at: '2026-01-01T00:00:00Z',
  }))
  return json({
    object: 'list',
    data,
    has_more: false,
    first_id: data[0]?.id,
    last_id: data.at(-1)?.id,
  })
}

/** @see https://github.com/mostlygeek/llama-swap internal/server/api.go for the shape */
const running: ProductRoute = ({ memory }) =>
  json({
    running: memory
      .running()
      .map((one) => ({ ...one, cmd: '', proxy: '', ttl: 0, name: '', description: '' })),
  })

const stateOf = ({ memory }: Machine, name: string) =>
  memory.running().find(({ model }) => model === name)?.state

const loadedNames = ({ memory }: Machine) =>
  memory.running().flatMap(({ model, state }) => (state === 'ready' ? [model] : []))

/** Ollama adds a tag to names without one. */
const tagged = (name: string) => (name.includes(':') ? name : `${name}:latest`)

const ollamaLoaded: ProductRoute = (machine) =>
  json({
    models: loadedNames(machine).map((name) => ({
      name: tagged(name),
      model: tagged(name),
      size: 1,
      digest: 'simulated',
      expires_at: '2099-01-01T00:00:00Z',
      size_vram: 1,
      context_length: machine.contextTokens,
    })),
  })

const ollamaInstalled: ProductRoute = ({ script }) =>
  json({ models: namesIn(script).map((name) => ({ name: tagged(name), model: tagged(name) })) })

const lmStudioModels: ProductRoute = (machine) =>
  json({
    models: namesIn(machine.script).map((key) => ({
      key,
      type: 'llm',
      loaded_instances:
        stateOf(machine, key) === 'ready'
          ? [{ id: key, config: { context_length: machine.contextTokens, parallel: 1 } }]
          : [],
      max_context_length: 131_072,
      capabilities: { vision: false, trained_for_tool_use: true },
    })),
  })

const LOADING = { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }
const isLoading = ({ memory }: Machine) =>
  memory.running().some(({ state }) => state === 'starting')

/** llama.cpp answers nothing but that it loads, until it has loaded. */
const onceLoaded =
  (route: ProductRoute): ProductRoute =>
  (machine, query) =>
    isLoading(machine) ? json(LOADING, 503) : route(machine, query)

const slots: ProductRoute = ({ inFlight, parallelCalls }, query) => {
  const isFull = inFlight() >= (parallelCalls ?? 1)
  if (isFull && query.has('fail_on_no_slot')) {
    return json(
      { error: { code: 503, message: 'no slot available', type: 'unavailable_error' } },
      503,
    )
  }
  return json([{ id: 0, is_processing: isFull }])
}

const llamaCppProps: ProductRoute = ({ contextTokens }) =>
  json({
    default_generation_settings: { n_ctx: contextTokens },
    total_slots: 1,
    is_sleeping: false,
  })

const litellmInfo: ProductRoute = ({ script, contextTokens }) =>
  json({
    data: namesIn(script).map((name) => ({
      model_name: `ollama/${name}`,
      litellm_params: { model: `ollama/${name}` },
      model_info: { id: name, max_input_tokens: contextTokens, input_cost_per_token: 0 },
    })),
  })

const vllmModels: ProductRoute = ({ script, contextTokens }) =>
  json({
    object: 'list',
    data: namesIn(script).map((id) => ({ id, object: 'model', max_model_len: contextTokens })),
  })

/** The pages of each product, besides those that take calls. */
export const routesOf = {
  every: {
    '/v1/models': listing,
    '/running': running,
    '/health': text('OK'),
    '/health/liveliness': () => json("I'm alive!"),
    '/model/info': litellmInfo,
  },
  litellm: {
    '/health/liveliness': () => json("I'm alive!"),
    '/model/info': litellmInfo,
    '/v1/models': listing,
  },
  ollama: {
    '/': text('Ollama is running'),
    '/api/ps': ollamaLoaded,
    '/api/tags': ollamaInstalled,
    '/v1/models': listing,
  },
  llamaSwap: { '/v1/models': listing, '/running': running, '/health': text('OK') },
  lmStudio: { '/api/v1/models': lmStudioModels, '/v1/models': listing },
  llamaCpp: {
    '/health': onceLoaded(() => json({ status: 'ok' })),
    '/props': onceLoaded(llamaCppProps),
    '/slots': onceLoaded(slots),
    '/v1/models': onceLoaded(listing),
  },
  vllm: { '/health': text(''), '/v1/models': vllmModels },
} as const satisfies Record<string, ProductRoutes>

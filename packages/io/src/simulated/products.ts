import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import { serverNameOf } from '@hyperguild/core/model.ts'
import { anthropicWire } from './anthropic-wire.ts'
import type { Asked, Wire } from './exchange.ts'
import { openAiWire } from './openai-wire.ts'
import { listing, type ProductRoutes, routesOf } from './product-routes.ts'

/** A kind of server, or `every`: LiteLLM, llama-swap and Anthropic at one address, without their quirks. */
export type SimulatedKind = BackendKind | 'every'

/** What sets one product apart from the others. */
export interface Product {
  /** By the path that calls come in at. */
  wires: Readonly<Record<string, Wire>>
  routes: ProductRoutes
  /** Headers of an answer to a call. */
  headers?(asked: Asked): Record<string, string>
  /** Calls at once before it refuses; they wait where nothing is said. */
  parallelCalls?: number
  busy?: Refusal
  /** How it refuses a call with tools for a model that is served without. */
  toolless?(asked: Asked): Refusal
  /** What it says while a model loads, instead of letting the call wait. */
  loading?: Refusal
  /** It writes into the reasoning stream while a model loads. */
  talksWhileLoading?: boolean
  /** Longer prompts are cut, and nobody is told. */
  contextTokens?: number
}

/** An error answer; `body` instead of the shape of the protocol where a product has its own. */
export interface Refusal {
  status: number
  message: string
  body?: unknown
}

const CHAT = '/v1/chat/completions'
const openAi = { [CHAT]: openAiWire('reasoning_content') }
const anthropicCalls = { '/v1/messages': anthropicWire }

const NO_JINJA = {
  status: 500,
  message: '',
  body: {
    error: { code: 500, message: 'tools param requires --jinja flag', type: 'server_error' },
  },
}

/** Every sentence of an error here is one that the product really says. */
export const PRODUCTS: Readonly<Record<SimulatedKind, Product>> = {
  every: { wires: { ...openAi, ...anthropicCalls }, routes: routesOf.every },
  litellm: {
    wires: openAi,
    routes: routesOf.litellm,
    headers: () => ({
      'x-litellm-response-cost': '0.00042',
      'x-litellm-model-id': 'simulated-deployment',
      'x-litellm-model-api-base': 'http://gpu-box:11434',
    }),
    toolless: ({ model }) => ({
      status: 400,
      message: `litellm.UnsupportedParamsError: ollama does not support parameters: ['tools'], for model=${model}.`,
    }),
  },
  ollama: {
    wires: { [CHAT]: openAiWire('reasoning') },
    routes: routesOf.ollama,
    contextTokens: 4096,
    parallelCalls: 512,
    busy: {
      status: 503,
      message: 'server busy, please try again.  maximum pending requests exceeded',
    },
    toolless: ({ model }) => ({
      status: 400,
      message: `registry.ollama.ai/library/${serverNameOf(model)}:latest does not support tools`,
    }),
  },
  'llama-swap': {
    wires: openAi,
    routes: routesOf.llamaSwap,
    parallelCalls: 10,
    busy: { status: 429, message: 'Too many requests' },
    talksWhileLoading: true,
    toolless: () => NO_JINJA,
  },
  'lm-studio': { wires: openAi, routes: routesOf.lmStudio },
  'llama-cpp': {
    wires: { [CHAT]: openAiWire('reasoning_content', { tellsTimings: true }) },
    routes: routesOf.llamaCpp,
    loading: {
      status: 503,
      message: 'Loading model',
      body: { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
    },
    toolless: () => NO_JINJA,
  },
  vllm: {
    wires: { [CHAT]: openAiWire('reasoning') },
    routes: routesOf.vllm,
    toolless: () => ({
      status: 400,
      message:
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    }),
  },
  openai: { wires: openAi, routes: { '/v1/models': listing } },
  anthropic: {
    wires: anthropicCalls,
    routes: { '/v1/models': listing },
    busy: { status: 529, message: 'Overloaded' },
  },
}

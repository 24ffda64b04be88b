import { type BackendKind, HOSTED_URLS } from './backend-kinds.ts'
import { poolOf, serverNameOf } from './model.ts'
import type { BackendConfig, Executor, ModelSettings, ModelsConfig } from './models-config.ts'

/** One model server as the configuration means it. Holds the name of its key's variable, never the key. */
export interface Backend {
  name: string
  kind: BackendKind
  url: string
  keyEnv: string | null
  /** Without its key it is not to be called. */
  needsKey: boolean
  /** What a person changes to point it elsewhere: a variable, or a key of models.yaml. */
  urlSetting: string
  /** Calls at once; null where nobody said. */
  parallelCalls: number | null
  /** Models in memory at a time; null where nobody said. */
  memorySlots: number | null
  /** Tokens; null where nobody said. */
  contextTokens: number | null
}

/** How to talk to one model; null leaves it to the server. */
export interface CallSettings {
  contextTokens: number | null
  effort: NonNullable<ModelSettings['effort']> | null
  temperature: number | null
  reasoning: 'on' | 'off' | null
  /** Null: native, and in text once the server has said that it knows no tools. */
  tools: 'native' | 'text' | 'none' | null
}

export interface ResolvedModel {
  /** As the configuration calls it. */
  model: string
  /** As its server calls it. */
  servedName: string
  backend: Backend
  settings: CallSettings
  /** Who does its work; null where models.yaml does not say. */
  executor: Executor | null
}

export type Resolution = { ok: true; value: ResolvedModel } | { ok: false; problem: string }

/** The part of models.yaml that says who serves what. */
export type ServingConfig = Pick<ModelsConfig, 'backends' | 'models'>

/** What the environment says where models.yaml is silent. */
export interface BackendDefaults {
  litellmBaseUrl?: string | undefined
  /** What listens there. */
  localKind?: BackendKind | undefined
  anthropicBaseUrl?: string | undefined
}

/**
 * Where a model is served and under which name. A model's backend is the one its settings name, else the one its name
 * starts with (`gpu-box/devstral`), else its tier's: Anthropic for `claude-*`, LITELLM_BASE_URL for all others, or the
 * only backend that could be meant.
 */
export function resolveModel(
  config: ServingConfig,
  defaults: BackendDefaults,
  model: string,
): Resolution {
  const backend = backendFor(config, defaults, model)
  if ('problem' in backend) return { ok: false, problem: backend.problem }
  const own = config.models?.[model] ?? {}
  const isDeclared = config.backends?.[backend.name] !== undefined
  const servedName = own.served_name ?? servedNameOf(backend, isDeclared, model)
  const settings = settingsOf(own, backend)
  const executor = own.executor ?? config.backends?.[backend.name]?.executor ?? null
  return { ok: true, value: { model, servedName, backend, settings, executor } }
}

/** How models.yaml wants a model talked to; nothing is said of a model that no server is known for. */
export function callSettings(
  config: ServingConfig,
  defaults: BackendDefaults,
  model: string,
): CallSettings {
  const resolved = resolveModel(config, defaults, model)
  return resolved.ok ? resolved.value.settings : settingsOf({}, null)
}

/** Every backend that one of these models is served by, each once. */
export function backendsServing(
  config: ServingConfig,
  defaults: BackendDefaults,
  models: readonly string[],
): Backend[] {
  const found = models.flatMap((model) => {
    const resolved = resolveModel(config, defaults, model)
    return resolved.ok ? [resolved.value.backend] : []
  })
  return [...new Map(found.map((backend) => [backend.name, backend])).values()]
}

function backendFor(
  config: ServingConfig,
  defaults: BackendDefaults,
  model: string,
): Backend | { problem: string } {
  const declared = config.backends ?? {}
  const prefix = model.split('/', 1)[0]!
  const name = config.models?.[model]?.backend ?? (model.includes('/') ? prefix : '')
  const named = declared[name]
  if (named) return backendOf(name, named)
  return poolOf(model) === 'cloud'
    ? cloudBackend(declared, defaults)
    : localBackend(declared, defaults, model)
}

type Declared = NonNullable<ModelsConfig['backends']>

function cloudBackend(declared: Declared, { anthropicBaseUrl }: BackendDefaults): Backend {
  const anthropic = Object.entries(declared).filter(([, { kind }]) => kind === 'anthropic')
  const [only] = anthropic
  if (only && anthropic.length === 1 && anthropicBaseUrl === undefined) return backendOf(...only)
  return {
    ...backendOf('anthropic', { kind: 'anthropic', url: anthropicBaseUrl }),
    urlSetting: 'ANTHROPIC_BASE_URL',
  }
}

function localBackend(
  declared: Declared,
  { litellmBaseUrl, localKind = 'litellm' }: BackendDefaults,
  model: string,
): Backend | { problem: string } {
  if (litellmBaseUrl !== undefined) {
    const config = { kind: localKind, url: litellmBaseUrl, key_env: 'LITELLM_API_KEY' }
    return { ...backendOf('local', config), urlSetting: 'LITELLM_BASE_URL', needsKey: false }
  }
  const local = Object.entries(declared).filter(([, { kind }]) => kind !== 'anthropic')
  const [only] = local
  if (only && local.length === 1) return backendOf(...only)
  if (!only) {
    return {
      problem:
        'no server of local models is configured; set LITELLM_BASE_URL, or write one under backends of models.yaml',
    }
  }
  const names = local.map(([name]) => name).join(' or ')
  return { problem: `it is not said who serves it; write models.${model}.backend: ${names}` }
}

/** The variables that hold the keys of hosted services. A key goes to no other server unless key_env says so. */
const HOSTED_KEYS: Partial<Record<BackendKind, string>> = {
  openai: 'OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
}

function backendOf(name: string, config: BackendConfig): Backend {
  const { kind, url = HOSTED_URLS[kind] ?? '', key_env: keyEnv = HOSTED_KEYS[kind] } = config
  return {
    name,
    kind,
    url,
    keyEnv: keyEnv ?? null,
    needsKey: keyEnv !== undefined,
    urlSetting: `backends.${name}.url in models.yaml`,
    parallelCalls: config.parallel_calls ?? null,
    memorySlots: config.memory_slots ?? null,
    contextTokens: config.context ?? null,
  }
}

function settingsOf(own: ModelSettings, backend: Backend | null): CallSettings {
  return {
    contextTokens: own.context ?? backend?.contextTokens ?? null,
    effort: own.effort ?? null,
    temperature: own.temperature ?? null,
    reasoning: own.reasoning ?? null,
    tools: own.tools ?? null,
  }
}

/** LiteLLM knows `ollama/x` under just that name; every other server calls the model `x`. */
function servedNameOf({ name, kind }: Backend, isDeclared: boolean, model: string): string {
  if (kind === 'litellm' && (!isDeclared || model.startsWith('ollama/'))) return model
  const own = model.startsWith(`${name}/`) ? model.slice(name.length + 1) : model
  return serverNameOf(own)
}

/** Whether two names mean the same model of one server: Ollama adds `:latest` to names without a tag. */
export function isSameModel(a: string, b: string): boolean {
  const plain = (name: string) => serverNameOf(name).replace(/:latest$/, '')
  return plain(a) === plain(b)
}

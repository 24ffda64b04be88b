import {
  type Backend,
  type ResolvedModel,
  resolveModel,
  type ServingConfig,
} from '@hyperguild/core/backend.ts'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { poolOf } from '@hyperguild/core/model.ts'
import { type ClaudeCode, findClaudeCode } from '../claude-code/find-claude.ts'
import { type Environment, keyNamed } from '../config/environment.ts'

/** A model server with the key that opens it. */
export interface Server extends Backend {
  apiKey: string | undefined
}

/** One model at its server. */
export interface Endpoint extends ResolvedModel {
  backend: Server
  /** The program that does this model's work; null where our own loop does, over the API. */
  claudeCode: ClaudeCode | null
}

/** @throws {ModelFailure} when the model cannot be called, with what to change */
export type EndpointOf = (model: string) => Endpoint

export type Places = Pick<
  Environment,
  'litellmBaseUrl' | 'litellmApiKey' | 'localKind' | 'anthropicApiKey' | 'anthropicBaseUrl'
> &
  Partial<Pick<Environment, 'claude'>>

/**
 * Finds where these models are served, once; a model outside the list is refused, so that a worker holds only the keys
 * of the models it serves.
 * @throws {ConfigError} when a URL holds credentials
 */
export function endpointsFor(
  config: ServingConfig,
  places: Places,
  models: readonly string[],
): EndpointOf {
  const found = new Map(models.map((model) => [model, findEndpoint(config, places, model)]))
  return (model) => requireEndpoint(model, found.get(model) ?? 'this worker does not serve it')
}

function requireEndpoint(model: string, found: Endpoint | string): Endpoint {
  if (typeof found !== 'string') return found
  throw new ModelFailure('network', `${model} cannot be called: ${found}`)
}

/**
 * The endpoint of a model, or what keeps it from being called.
 * @throws {ConfigError} when its URL holds credentials
 */
export function findEndpoint(
  config: ServingConfig,
  places: Places,
  model: string,
): Endpoint | string {
  const resolved = resolveModel(config, places, model)
  if (!resolved.ok) return resolved.problem
  const backend = withKey(resolved.value.backend, places)
  const claudeCode = claudeCodeFor(resolved.value, backend, places)
  if (typeof claudeCode === 'string') return claudeCode
  if (claudeCode === null && isKeyMissing(backend)) return missingKey(backend)
  return { ...resolved.value, backend, claudeCode }
}

const NO_CLAUDE = {
  program: undefined,
  searchPath: '',
  token: undefined,
  configDir: undefined,
} as const

/** Claude Code where models.yaml says so; also where there is no key for the API and a program that needs none. */
function claudeCodeFor(
  { model, executor }: ResolvedModel,
  backend: Server,
  { claude = NO_CLAUDE }: Places,
): ClaudeCode | string | null {
  if (executor === 'claude-code') {
    if (backend.kind === 'anthropic') return findClaudeCode(claude, backend)
    return `Claude Code cannot use ${backend.name}, which is of kind ${backend.kind}; write models.${model}.executor: api`
  }
  const isFree = executor === null && backend.keyEnv === HOSTED_KEY && isKeyMissing(backend)
  if (!isFree) return null
  const found = findClaudeCode(claude, backend)
  return typeof found === 'string' ? null : found
}

const HOSTED_KEY = 'ANTHROPIC_API_KEY'

function isKeyMissing({ needsKey, apiKey }: Server): boolean {
  return needsKey && apiKey === undefined
}

/**
 * A backend with its key, when its variable is set.
 * @throws {ConfigError} when its URL holds credentials: fetch refuses those, and messages would show them
 */
export function withKey(backend: Backend, places: Places): Server {
  const { username, password } = new URL(backend.url)
  if (username !== '' || password !== '') {
    const where = backend.keyEnv ?? 'a variable, and name it in key_env'
    throw new ConfigError(`${backend.urlSetting}: holds credentials; put the key into ${where}`)
  }
  return { ...backend, apiKey: keyOf(backend.keyEnv, places) }
}

function keyOf(variable: string | null, places: Places): string | undefined {
  switch (variable) {
    case null:
      return undefined
    case 'LITELLM_API_KEY':
      return places.litellmApiKey
    case 'ANTHROPIC_API_KEY':
      return places.anthropicApiKey
    default:
      return keyNamed(variable)
  }
}

function missingKey({ kind, name, keyEnv }: Server): string {
  return kind === 'anthropic' && keyEnv === HOSTED_KEY
    ? 'no access to cloud models is configured; set ANTHROPIC_API_KEY'
    : `the key of backend ${name} is missing; set ${keyEnv}`
}

/** Where models are when there are just two places; null where nothing is. Base URLs may end in `/v1` or not. */
export interface TwoPlaces {
  /** LiteLLM, or any server with `/v1/chat/completions`. */
  local: { baseUrl: string; apiKey?: string | undefined } | null
  /** Anthropic's API, or what speaks its protocol. */
  cloud: { baseUrl?: string | undefined; apiKey?: string | undefined } | null
}

/**
 * `claude-*` at one place, every other model at the other.
 * @throws {ConfigError} when a URL holds credentials
 */
export function twoEndpoints({ local, cloud }: TwoPlaces): EndpointOf {
  const places: Places = {
    litellmBaseUrl: local?.baseUrl,
    litellmApiKey: local?.apiKey,
    localKind: 'litellm',
    anthropicBaseUrl: cloud?.baseUrl,
    anthropicApiKey: cloud ? (cloud.apiKey ?? '') : undefined,
  }
  const found = {
    local: findEndpoint({}, places, 'local'),
    cloud: findEndpoint({}, places, 'claude-'),
  }
  return (model) => ({
    ...requireEndpoint(model, found[poolOf(model)]),
    model,
    servedName: model,
  })
}

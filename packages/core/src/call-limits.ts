import { type BackendDefaults, resolveModel, type ServingConfig } from './backend.ts'

/** What may happen in one scope at once and in a minute; null where nobody said. */
export interface CallLimits {
  /** A model, or a backend with all its models: `model:` or `backend:` and its name. */
  scope: string
  parallelCalls: number | null
  requestsPerMinute: number | null
  tokensPerMinute: number | null
}

interface LimitSettings {
  parallel_calls?: number | undefined
  requests_per_minute?: number | undefined
  tokens_per_minute?: number | undefined
}

/** The limits that a call of this model is under: its own, and those of its backend. */
export function callLimitsOf(
  config: ServingConfig,
  defaults: BackendDefaults,
  model: string,
): CallLimits[] {
  const resolved = resolveModel(config, defaults, model)
  const backend = resolved.ok ? resolved.value.backend.name : ''
  return [
    limitsIn(`model:${model}`, config.models?.[model]),
    limitsIn(`backend:${backend}`, config.backends?.[backend]),
  ].filter(hasAny)
}

/** How many calls of a model may be under way at once; null where nobody said. */
export function parallelCallsOf(
  config: ServingConfig,
  defaults: BackendDefaults,
  model: string,
): number | null {
  const limits = callLimitsOf(config, defaults, model).flatMap((one) => one.parallelCalls ?? [])
  return limits.length === 0 ? null : Math.min(...limits)
}

function limitsIn(scope: string, settings: LimitSettings = {}): CallLimits {
  return {
    scope,
    parallelCalls: settings.parallel_calls ?? null,
    requestsPerMinute: settings.requests_per_minute ?? null,
    tokensPerMinute: settings.tokens_per_minute ?? null,
  }
}

function hasAny({ parallelCalls, requestsPerMinute, tokensPerMinute }: CallLimits): boolean {
  return parallelCalls !== null || requestsPerMinute !== null || tokensPerMinute !== null
}

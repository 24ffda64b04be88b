import { isSameModel, resolveModel } from '@hyperguild/core/backend.ts'
import { poolOf } from '@hyperguild/core/model.ts'
import { type ModelsConfig, modelsNamedIn } from '@hyperguild/core/models-config.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { type FoundServer, findLocalServers } from '@hyperguild/io/models/discover.ts'
import { findEndpoint } from '@hyperguild/io/models/endpoints.ts'

/** Where the models of a fleet on this machine are. */
export type ModelSource =
  /** Where files and variables say. */
  | { kind: 'configured' }
  /** Local models at a server that listens where such servers usually do. */
  | { kind: 'found'; server: FoundServer }
  /** Nowhere: a script stands in for them. `found` has servers that cannot be used as they are, `why` says why. */
  | { kind: 'simulated'; found: readonly FoundServer[]; why: string }

/** Whether anything says where local models are. */
export function namesLocalServer(config: ModelsConfig, environment: Environment): boolean {
  const declared = Object.values(config.backends ?? {})
  return (
    environment.litellmBaseUrl !== undefined || declared.some(({ kind }) => kind !== 'anthropic')
  )
}

/**
 * What is configured is used, always. Only where nothing says where local models are is a server used that was found: one
 * that has a model of models.yaml, and only when the verifier can be asked too, because no local result would be
 * accepted without it. Models are simulated when there is nothing at all.
 */
export async function chooseModelSource(
  config: ModelsConfig,
  environment: Environment,
  find: () => Promise<FoundServer[]> = findLocalServers,
): Promise<ModelSource> {
  if (namesLocalServer(config, environment)) return { kind: 'configured' }
  const found = await find()
  const usable = found.filter((server) => servedOf(config, server).length > 0)
  const server = usable.find((one) => canVerify(config, environment, one))
  if (server) return { kind: 'found', server }
  const hasCloud = modelsNamedIn(config).some((model) => canCall(config, environment, model))
  if (hasCloud) return { kind: 'configured' }
  const why =
    usable.length > 0
      ? `the verifier ${config.verifier} cannot be called; set ANTHROPIC_API_KEY, or name a local verifier`
      : 'none of its models is named in models.yaml'
  return { kind: 'simulated', found, why }
}

/** The variables that lead every part of a fleet to a server. */
export function variablesFor({ kind, url }: FoundServer): Record<string, string> {
  return { LITELLM_BASE_URL: url, HYPERGUILD_LOCAL_KIND: kind }
}

/** The local models of a configuration that a server has. */
export function servedOf(config: ModelsConfig, { kind, url, models }: FoundServer): string[] {
  return modelsNamedIn(config).filter((model) => {
    if (poolOf(model) === 'cloud') return false
    const resolved = resolveModel(config, { litellmBaseUrl: url, localKind: kind }, model)
    return resolved.ok && models.some((name) => isSameModel(name, resolved.value.servedName))
  })
}

function canVerify(config: ModelsConfig, environment: Environment, server: FoundServer): boolean {
  const { verifier } = config
  return poolOf(verifier) === 'cloud'
    ? canCall(config, environment, verifier)
    : servedOf(config, server).includes(verifier)
}

function canCall(config: ModelsConfig, environment: Environment, model: string): boolean {
  return typeof findEndpoint(config, environment, model) !== 'string'
}

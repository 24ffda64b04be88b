import type { SickCall } from '@hyperguild/core/health.ts'
import type { Work } from '@hyperguild/core/step.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import { findEndpoint } from '@hyperguild/io/models/endpoints.ts'
import { probeBackend } from '@hyperguild/io/models/probe.ts'
import {
  type BreakerWatch,
  type BreakerWatchOptions,
  watchBreakers,
} from '@hyperguild/io/queue/breaker-watch.ts'

/** Watches over the breakers of a pool's models, each at the server that the configuration names. */
export function watchServers(
  options: Omit<BreakerWatchOptions, 'serverOf' | 'isReachable' | 'limits'>,
  { models }: Config,
  environment: Environment,
): Promise<BreakerWatch> {
  const endpointOf = (model: string) => findEndpoint(models, environment, model)
  return watchBreakers({
    ...options,
    limits: { failures: environment.breakerFailures, openMs: environment.breakerOpenMs },
    serverOf(model) {
      const endpoint = endpointOf(model)
      return typeof endpoint === 'string' ? null : endpoint.backend.url
    },
    async isReachable(model) {
      const endpoint = endpointOf(model)
      return typeof endpoint !== 'string' && (await probeBackend(endpoint.backend)).reachable
    },
  })
}

/** Tells the watch what a step showed of its model's server. */
export async function reportHealth(
  watch: Pick<BreakerWatch, 'report'>,
  model: string,
  { kind, outcome }: Work,
): Promise<void> {
  if (kind === 'apply' || outcome.kind === 'bad_input') return
  const failed: SickCall | null = outcome.kind === 'failed' ? outcome : null
  await watch.report(model, failed)
}

import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { type FoundServer, findLocalServers } from '@hyperguild/io/models/discover.ts'
import { namesLocalServer } from '../model-source.ts'

/** A model server that the configuration does not use, with the lines of models.yaml that would use it. */
export interface Offer {
  found: string
  models: readonly string[]
  lines: readonly string[]
}

/** Model servers at their usual places, when nothing is configured in their stead. */
export async function findOffers(
  config: ModelsConfig,
  environment: Environment,
  find: () => Promise<FoundServer[]> = findLocalServers,
): Promise<Offer[]> {
  return namesLocalServer(config, environment) ? [] : (await find()).map(offerOf)
}

function offerOf({ kind, url, models, wantsKey }: FoundServer): Offer {
  return {
    found: `${kind} at ${url}`,
    models,
    lines: [
      'backends:',
      `  ${kind}:`,
      `    kind: ${kind}`,
      `    url: ${url}`,
      ...(wantsKey ? ['    key_env: LITELLM_API_KEY'] : []),
    ],
  }
}

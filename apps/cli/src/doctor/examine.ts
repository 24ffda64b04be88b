import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { type Config, loadConfig } from '@hyperguild/io/config/load-config.ts'
import type { FoundServer } from '@hyperguild/io/models/discover.ts'
import type { Finding } from './finding.ts'
import { examineMachine } from './machine.ts'
import { findOffers, type Offer } from './offers.ts'
import { findingsOf } from './render.ts'
import { examineServers, type ServersReport, type WhomToCall } from './servers.ts'

export interface DoctorReport {
  /** Whether nothing that is needed is missing; warnings do not count. */
  ok: boolean
  machine: Finding[]
  /** Null when the configuration cannot be read. */
  servers: ServersReport | null
  offers: Offer[]
}

/**
 * Looks at everything a fleet needs on this machine and at its model servers.
 * @param options.findLocal where to look for servers nobody configured
 */
export async function examine(
  environment: Environment,
  options: { call: WhomToCall; findLocal?: () => Promise<FoundServer[]> },
): Promise<DoctorReport> {
  const machine = await examineMachine(environment)
  const models = configOrNull(environment)?.models
  const servers = models ? await examineServers(models, environment, options.call) : null
  const offers = models ? await findOffers(models, environment, options.findLocal) : []
  const ok = findingsOf({ machine, servers }).every(({ state }) => state !== 'problem')
  return { ok, machine, servers, offers }
}

/** Its problems are told by the check of the machine. */
function configOrNull(environment: Environment): Config | null {
  try {
    return loadConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return null
    throw error
  }
}

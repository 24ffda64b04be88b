import { isSameModel } from '@hyperguild/core/backend.ts'
import { HOSTED_URLS } from '@hyperguild/core/backend-kinds.ts'
import type { Endpoint } from './endpoints.ts'
import { type Probe, probeBackend } from './probe.ts'
import { isWarm } from './warm-state.ts'

const EVERY_MS = 10_000

/** What a worker knows of its model servers. */
export interface ServersSeen {
  /** Their names, a comma between them. */
  name: string
  /** Whether all of them answered last time; false when there is none. */
  reachable: boolean
  /** Models in memory, as the configuration calls them. */
  warm: readonly string[]
}

export interface ServerView {
  seen(): ServersSeen
  close(): Promise<void>
}

export interface ServerViewOptions {
  endpoints: readonly Endpoint[]
  llamaSwapUrl?: string | undefined
  everyMs?: number
  /** Called for each server at the first look, and whenever what is wrong with it changes. */
  onChange(server: string, probe: Probe): void
}

/**
 * Looks at the servers of some models now and then every few seconds, without calling a model. A hosted service is looked
 * at only once: its state is its own business.
 */
export async function viewServers(options: ServerViewOptions): Promise<ServerView> {
  const { endpoints, everyMs = EVERY_MS } = options
  const probes = new Map<string, Probe>()
  const servers = [...new Map(endpoints.map(({ backend }) => [backend.name, backend])).values()]
  let warm: string[] = []

  async function look(): Promise<void> {
    const due = servers.filter(
      ({ name, kind, url }) => !probes.has(name) || url !== HOSTED_URLS[kind],
    )
    await Promise.all(
      due.map(async (server) => {
        const before = probes.get(server.name)
        const probe = await probeBackend(server)
        probes.set(server.name, probe)
        if (!before || before.problem !== probe.problem) options.onChange(server.name, probe)
      }),
    )
    const states = endpoints.map((one) => isWarmIn(probes.get(one.backend.name)!, one, options))
    const isWarmNow = await Promise.all(states)
    warm = endpoints.filter((_, index) => isWarmNow[index]).map(({ model }) => model)
  }

  await look()
  let looking: Promise<void> | null = null
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = null
    })
  }, everyMs).unref()
  return {
    seen: () => ({
      name: servers.map(({ name }) => name).join(', '),
      reachable: servers.length > 0 && servers.every(({ name }) => probes.get(name)!.reachable),
      warm,
    }),
    async close() {
      clearInterval(timer)
      await looking
    },
  }
}

async function isWarmIn(
  probe: Probe,
  endpoint: Endpoint,
  { llamaSwapUrl }: ServerViewOptions,
): Promise<boolean> {
  // Hosted services take names that they do not list.
  if (HOSTED_URLS[endpoint.backend.kind] !== undefined) return probe.reachable
  const seen = probe.models.find(({ name }) => isSameModel(name, endpoint.servedName))?.state
  if (seen !== 'unknown') return seen === 'warm'
  return llamaSwapUrl !== undefined && isWarm(endpoint, { llamaSwapUrl })
}

import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import type { Server } from './endpoints.ts'
import { type Probe, probeBackend } from './probe.ts'

/** Where a product listens when nobody has told it otherwise. */
export interface UsualPlace {
  kind: BackendKind
  url: string
}

/** Of two products with the same port the one that is harder to mistake comes first. */
export const USUAL_PLACES: readonly UsualPlace[] = [
  { kind: 'ollama', url: 'http://127.0.0.1:11434' },
  { kind: 'lm-studio', url: 'http://127.0.0.1:1234' },
  { kind: 'llama-swap', url: 'http://127.0.0.1:8080' },
  { kind: 'llama-cpp', url: 'http://127.0.0.1:8080' },
  { kind: 'litellm', url: 'http://127.0.0.1:4000' },
]

export interface FoundServer extends UsualPlace {
  /** As the server calls them; empty when it wants a key first. */
  models: readonly string[]
  wantsKey: boolean
}

/** The model servers of this machine that listen where they usually do, one per place. */
export async function findLocalServers({
  places = USUAL_PLACES,
  timeoutMs = 500,
}: {
  places?: readonly UsualPlace[]
  timeoutMs?: number
} = {}): Promise<FoundServer[]> {
  const looks = await Promise.all(
    places.map(async (place) => foundAt(place, await probeBackend(serverAt(place), { timeoutMs }))),
  )
  const found = looks.flatMap((server) => server ?? [])
  return found.filter(({ url }, index) => found.findIndex((one) => one.url === url) === index)
}

/** Other programs use these ports too, and answer something: only a list of models proves a model server. */
function foundAt(place: UsualPlace, probe: Probe): FoundServer | null {
  const wantsKey = place.kind === 'litellm' && probe.problem?.includes('refused the key') === true
  if (probe.models.length === 0 && !wantsKey) return null
  return { ...place, models: probe.models.map(({ name }) => name), wantsKey }
}

function serverAt({ kind, url }: UsualPlace): Server {
  return {
    name: kind,
    kind,
    url,
    urlSetting: url,
    keyEnv: null,
    needsKey: false,
    apiKey: undefined,
    parallelCalls: null,
    memorySlots: null,
    contextTokens: null,
  }
}

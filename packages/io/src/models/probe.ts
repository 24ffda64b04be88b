import { type BackendKind, HOSTED_URLS } from '@hyperguild/core/backend-kinds.ts'
import { type Failure, ModelFailure } from '@hyperguild/core/failure.ts'
import type { Server } from './endpoints.ts'
import { anthropic, openai, vllm } from './probes/always-loaded.ts'
import { askServer, type KindProbe, type ProbedModel } from './probes/ask.ts'
import { litellm } from './probes/litellm.ts'
import { llamaCpp } from './probes/llama-cpp.ts'
import { llamaSwap } from './probes/llama-swap.ts'
import { lmStudio } from './probes/lm-studio.ts'
import { ollama } from './probes/ollama.ts'

export const PROBES = {
  litellm,
  ollama,
  'llama-swap': llamaSwap,
  'lm-studio': lmStudio,
  'llama-cpp': llamaCpp,
  vllm,
  openai,
  anthropic,
} as const satisfies Record<BackendKind, KindProbe>

/** What a look at a server showed. */
export interface Probe {
  reachable: boolean
  models: ProbedModel[]
  busy?: boolean
  /** Of all requests of the look together. */
  latencyMs: number
  problem?: string
  nextStep?: string
}

/** Looks at a server without calling a model: it costs nothing and loads nothing. */
export async function probeBackend(
  server: Server,
  { timeoutMs = 2000 }: { timeoutMs?: number } = {},
): Promise<Probe> {
  const startedAtMs = performance.now()
  const latencyMs = () => Math.round(performance.now() - startedAtMs)
  try {
    const ask = askServer(server, AbortSignal.timeout(timeoutMs))
    const sight = await PROBES[server.kind].look(ask)
    return { reachable: true, ...sight, latencyMs: latencyMs() }
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    return {
      reachable: !UNREACHED.has(error.failure),
      models: [],
      latencyMs: latencyMs(),
      problem: error.message,
      nextStep: nextStepFor(error.failure, server),
    }
  }
}

const UNREACHED: ReadonlySet<Failure> = new Set(['network', 'timeout_total'])

function nextStepFor(failure: Failure, server: Server): string {
  const { kind, url, urlSetting, keyEnv, name } = server
  switch (failure) {
    case 'network':
    case 'timeout_total':
      return url === HOSTED_URLS[kind]
        ? 'check that this machine reaches the internet'
        : `start it, or correct ${urlSetting}`
    case 'auth':
      return keyEnv === null
        ? `name the variable that holds its key: backends.${name}.key_env in models.yaml`
        : `put its key into ${keyEnv}`
    case 'bad_output':
      return `check that ${kind} is what listens there: the kind, and ${urlSetting}`
    default:
      return 'look at the log of that server'
  }
}

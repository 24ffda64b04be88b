import type { Endpoint } from './endpoints.ts'
import { PROBES } from './probe.ts'
import { askServer, type Warmth } from './probes/ask.ts'

const TIMEOUT_MS = 200

/**
 * Whether a call of this model can begin without loading it. Whatever goes wrong means cold: an error, no answer in
 * time, a server that does not know and no llama-swap to ask.
 */
export async function isWarm(
  { backend, servedName }: Pick<Endpoint, 'backend' | 'servedName'>,
  options: { llamaSwapUrl?: string | undefined; timeoutMs?: number } = {},
): Promise<boolean> {
  const { llamaSwapUrl, timeoutMs = TIMEOUT_MS } = options
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const own = await PROBES[backend.kind].warmth(askServer(backend, signal), servedName)
    if (own !== 'unknown' || llamaSwapUrl === undefined) return own === 'warm'
    return (await askLlamaSwap(llamaSwapUrl, servedName, signal)) === 'warm'
  } catch {
    return false
  }
}

/** Whether llama-swap has the model in memory; cold when it cannot be asked. */
export async function askWarm(options: {
  llamaSwapUrl: string
  model: string
  timeoutMs?: number
}): Promise<boolean> {
  const { llamaSwapUrl, model, timeoutMs = TIMEOUT_MS } = options
  const asked = askLlamaSwap(llamaSwapUrl, model, AbortSignal.timeout(timeoutMs))
  return (await asked.catch(() => 'cold')) === 'warm'
}

function askLlamaSwap(url: string, model: string, signal: AbortSignal): Promise<Warmth> {
  const ask = askServer({ kind: 'llama-swap', url, apiKey: undefined }, signal)
  return PROBES['llama-swap'].warmth(ask, model)
}

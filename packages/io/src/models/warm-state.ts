import { serverNameOf } from '@hyperguild/core/model.ts'
import * as z from 'zod'

/** @see https://github.com/mostlygeek/llama-swap internal/server/api.go; only `ready` can answer without loading */
const runningSchema = z.object({
  running: z.array(z.object({ model: z.string(), state: z.string() })),
})

/**
 * Whether llama-swap has the model in memory. Asks `/running`, because `/v1/models` lists what is configured.
 * Whatever goes wrong means cold: an error, no answer in time, an answer of another shape.
 */
export async function askWarm(options: {
  llamaSwapUrl: string
  model: string
  timeoutMs?: number
}): Promise<boolean> {
  const { llamaSwapUrl, model, timeoutMs = 200 } = options
  try {
    const response = await fetch(`${llamaSwapUrl.replace(/\/+$/, '')}/running`, {
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (!response.ok) return false
    const { running } = runningSchema.parse(await response.json())
    const name = serverNameOf(model)
    return running.some((one) => serverNameOf(one.model) === name && one.state === 'ready')
  } catch {
    return false
  }
}

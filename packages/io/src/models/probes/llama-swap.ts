import { isSameModel } from '@hyperguild/core/backend.ts'
import * as z from 'zod'
import type { Ask, KindProbe, Warmth } from './ask.ts'
import { modelListShape } from './model-list.ts'

const runningShape = z.object({
  running: z.array(z.object({ model: z.string(), state: z.string() })),
})

/**
 * @see https://github.com/mostlygeek/llama-swap internal/server/api.go: `/running` holds what is in memory, of which only
 * `ready` can answer without loading; `/v1/models` lists what is configured
 */
export const llamaSwap: KindProbe = {
  async look(ask) {
    const [running, configured] = await Promise.all([
      runningIn(ask),
      ask('/v1/models', modelListShape),
    ])
    return {
      models: configured.data.map(({ id }) => ({
        name: id,
        state: stateIn(running, id),
        contextTokens: null,
      })),
    }
  },
  warmth: async (ask, servedName) => stateIn(await runningIn(ask), servedName),
}

async function runningIn(ask: Ask) {
  return (await ask('/running', runningShape)).running
}

function stateIn(running: Awaited<ReturnType<typeof runningIn>>, name: string): Warmth {
  const isReady = running.some(({ model, state }) => isSameModel(model, name) && state === 'ready')
  return isReady ? 'warm' : 'cold'
}

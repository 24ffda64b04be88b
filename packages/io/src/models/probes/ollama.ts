import { isSameModel } from '@hyperguild/core/backend.ts'
import * as z from 'zod'
import type { Ask, KindProbe } from './ask.ts'

const runningShape = z.object({
  models: z.array(z.object({ name: z.string(), context_length: z.number().optional() })),
})
const installedShape = z.object({ models: z.array(z.object({ name: z.string() })) })

/** @see https://docs.ollama.com/api for `/api/ps` (in memory, with the context it was given) and `/api/tags` (installed) */
export const ollama: KindProbe = {
  async look(ask) {
    const [running, installed] = await Promise.all([
      runningIn(ask),
      ask('/api/tags', installedShape),
    ])
    return {
      models: installed.models.map(({ name }) => {
        const loaded = running.find((one) => isSameModel(one.name, name))
        return {
          name,
          state: loaded ? 'warm' : 'cold',
          contextTokens: loaded?.context_length ?? null,
        }
      }),
    }
  },
  async warmth(ask, servedName) {
    const running = await runningIn(ask)
    return running.some(({ name }) => isSameModel(name, servedName)) ? 'warm' : 'cold'
  },
}

async function runningIn(ask: Ask) {
  return (await ask('/api/ps', runningShape)).models
}

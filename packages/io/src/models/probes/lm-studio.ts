import { isSameModel } from '@hyperguild/core/backend.ts'
import * as z from 'zod'
import { type Ask, ifOffered, type KindProbe, type ProbedModel } from './ask.ts'

const currentShape = z.object({
  models: z.array(
    z.object({
      key: z.string(),
      loaded_instances: z
        .array(z.object({ config: z.object({ context_length: z.number().optional() }).optional() }))
        .default([]),
    }),
  ),
})
/** Before LM Studio 0.4. */
const formerShape = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      state: z.string(),
      loaded_context_length: z.number().optional(),
    }),
  ),
})

/** @see https://lmstudio.ai/docs/developer/rest: a model is in memory while it has instances */
export const lmStudio: KindProbe = {
  look: async (ask) => ({ models: await modelsOf(ask) }),
  async warmth(ask, servedName) {
    const models = await modelsOf(ask)
    return models.find(({ name }) => isSameModel(name, servedName))?.state ?? 'cold'
  },
}

async function modelsOf(ask: Ask): Promise<ProbedModel[]> {
  const current = await ifOffered(ask('/api/v1/models', currentShape))
  if (current) {
    return current.models.map(({ key, loaded_instances: [loaded] }) => ({
      name: key,
      state: loaded ? 'warm' : 'cold',
      contextTokens: loaded?.config?.context_length ?? null,
    }))
  }
  const former = await ask('/api/v0/models', formerShape)
  return former.data.map(({ id, state, loaded_context_length }) => ({
    name: id,
    state: state === 'loaded' ? 'warm' : 'cold',
    contextTokens: loaded_context_length ?? null,
  }))
}

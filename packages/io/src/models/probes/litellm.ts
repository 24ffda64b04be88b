import * as z from 'zod'
import { ifOffered, type KindProbe } from './ask.ts'
import { modelListShape } from './model-list.ts'

const infoShape = z.object({
  data: z.array(
    z.object({
      model_name: z.string(),
      model_info: z.object({ max_input_tokens: z.number().nullish() }).nullish(),
    }),
  ),
})

/**
 * `/health` is never asked: it calls every model, which costs money.
 * @see https://docs.litellm.ai/docs/proxy/health
 */
export const litellm: KindProbe = {
  async look(ask) {
    await ask('/health/liveliness', null)
    const info = await ifOffered(ask('/model/info', infoShape))
    const models = info
      ? info.data.map((one) => ({
          name: one.model_name,
          contextTokens: one.model_info?.max_input_tokens ?? null,
        }))
      : (await ask('/v1/models', modelListShape)).data.map(({ id }) => ({
          name: id,
          contextTokens: null,
        }))
    return { models: models.map((model) => ({ ...model, state: 'unknown' })) }
  },
  warmth: async () => 'unknown',
}

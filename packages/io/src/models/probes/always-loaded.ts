import type { KindProbe } from './ask.ts'
import { modelListShape } from './model-list.ts'

/** vLLM loads its one model before it listens. */
export const vllm: KindProbe = {
  async look(ask) {
    await ask('/health', null)
    const { data } = await ask('/v1/models', modelListShape)
    return {
      models: data.map(({ id, max_model_len }) => ({
        name: id,
        state: 'warm',
        contextTokens: max_model_len ?? null,
      })),
    }
  },
  async warmth(ask) {
    await ask('/health', null)
    return 'warm'
  },
}

/** A hosted service, where loading is not the caller's business. The list of models costs nothing. */
function hosted(listPath: string): KindProbe {
  return {
    async look(ask) {
      const { data } = await ask(listPath, modelListShape)
      return {
        models: data.map(({ id, max_input_tokens }) => ({
          name: id,
          state: 'warm',
          contextTokens: max_input_tokens ?? null,
        })),
      }
    },
    warmth: async () => 'warm',
  }
}

export const openai = hosted('/v1/models')
export const anthropic = hosted('/v1/models?limit=1000')

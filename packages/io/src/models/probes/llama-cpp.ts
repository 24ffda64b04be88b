import { isSameModel } from '@hyperguild/core/backend.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import * as z from 'zod'
import { type Ask, ifOffered, type KindProbe, type Warmth } from './ask.ts'
import { modelListShape } from './model-list.ts'

const propsShape = z.object({
  default_generation_settings: z.object({ n_ctx: z.number().optional() }).optional(),
  is_sleeping: z.boolean().optional(),
})

/**
 * @see https://github.com/ggml-org/llama.cpp tools/server/README.md: `/health` is 503 while the model loads,
 * `/slots?fail_on_no_slot=1` while every slot works; as a router it lists a status for each model
 */
export const llamaCpp: KindProbe = {
  async look(ask) {
    const isUp = await isReady(ask)
    const listed = await ifReady(ask('/v1/models', modelListShape))
    const props = isUp ? await ifReady(ask('/props', propsShape)) : null
    return {
      models: (listed?.data ?? []).map(({ id, status }) => ({
        name: id,
        state: isUp ? stateOf(status?.value, props?.is_sleeping) : 'cold',
        contextTokens: props?.default_generation_settings?.n_ctx ?? null,
      })),
      busy: isUp ? await hasNoSlot(ask) : true,
    }
  },
  async warmth(ask, servedName) {
    const [isUp, listed, props] = await Promise.all([
      isReady(ask),
      ifReady(ask('/v1/models', modelListShape)),
      ifReady(ask('/props', propsShape)),
    ])
    const named = listed?.data.find(({ id }) => isSameModel(id, servedName))
    return isUp ? stateOf(named?.status?.value, props?.is_sleeping) : 'cold'
  },
}

/** A server of one model has no status for it: it is up when the model is loaded. */
function stateOf(status: string | undefined, isSleeping: boolean | undefined): Warmth {
  return (status ?? 'loaded') === 'loaded' && isSleeping !== true ? 'warm' : 'cold'
}

async function isReady(ask: Ask): Promise<boolean> {
  return (await ifNotBusy(ask('/health', null).then(() => 'up'))) !== null
}

async function hasNoSlot(ask: Ask): Promise<boolean> {
  const offered = ifOffered(ask('/slots?fail_on_no_slot=1', null).then(() => 'free'))
  const slots = await ifNotBusy(offered.then((answer) => answer ?? 'not offered'))
  return slots === null
}

async function ifReady<T>(answer: Promise<T>): Promise<T | null> {
  return ifNotBusy(ifOffered(answer))
}

/** The answer, or null when the server says that it is busy or loading. */
async function ifNotBusy<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ModelFailure && error.failure === 'overloaded') return null
    throw error
  }
}

import { type CallTimeouts, type ChatModel, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { RateLimits } from '@hyperguild/io/queue/rate-limits.ts'

/** How patient a worker is with a model. */
export interface StepTimeouts {
  firstTokenMs: number
  /** Comes on top where the model must be loaded first. */
  coldStartMs: number
  stallMs: number
}

export interface StepChat {
  chat: ChatModel
  /** Counts calls that were made without `chat`. */
  count(model: string, used: readonly Usage[]): Promise<void>
  /** How long the server loaded the model, once it has told. */
  loadMs(): number | undefined
}

/** A model as one step calls it: with time to load until it first answered, and counted against its rate limits. */
export function startStepChat(options: {
  chat: ChatModel
  timeouts: StepTimeouts
  limits: Pick<RateLimits, 'charge'>
  isCold: boolean
}): StepChat {
  const { chat, timeouts, limits, isCold } = options
  let calls = 0
  let hasAnswered = false
  let loadMs: number | undefined

  function timeoutsNow(): CallTimeouts {
    const { firstTokenMs, coldStartMs, stallMs } = timeouts
    return { firstTokenMs: firstTokenMs + (isCold && !hasAnswered ? coldStartMs : 0), stallMs }
  }

  return {
    loadMs: () => loadMs,
    async count(model, used) {
      const requests = Math.max(0, calls > 0 ? used.length : used.length - 1)
      calls += used.length
      const tokens = used.reduce((sum, usage) => sum + tokensIn(usage), 0)
      await limits.charge(model, { requests, tokens })
    },
    async chat(request, signal) {
      // The first request was taken when the step was let in.
      const requests = calls > 0 ? 1 : 0
      calls += 1
      let usage = NO_USAGE
      try {
        const reply = await chat({ ...request, timeouts: timeoutsNow() }, signal)
        hasAnswered = true
        loadMs ??= reply.loadMs
        usage = reply.usage
        return reply
      } catch (error) {
        if (error instanceof ModelFailure) usage = error.usage ?? NO_USAGE
        throw error
      } finally {
        await limits.charge(request.model, { requests, tokens: tokensIn(usage) })
      }
    },
  }
}

/** What servers count against a limit: all that was read but for what the prompt cache had, and all that was written. */
function tokensIn({ inputTokens, cacheReadTokens, outputTokens }: Usage): number {
  return Math.max(0, (inputTokens ?? 0) - (cacheReadTokens ?? 0)) + (outputTokens ?? 0)
}

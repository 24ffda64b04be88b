import { addUsage, type ChatModel, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { addCost, type Cost, costOf, costOfRefusal } from '@hyperguild/core/cost.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { Prices } from '@hyperguild/core/price.ts'
import type { Work } from '@hyperguild/core/step.ts'

/** What a step used and what that cost. */
export interface Spent {
  usage: Usage
  cost: Cost
}

export interface Meter {
  /** Calls as the step makes them; each is priced by itself, because prices go by the prompt of a call. */
  chat: ChatModel
  /** Books a call that was made without `chat`. */
  book(usage: Usage, durationMs: number): void
  /** What all calls came to, those that failed or were given up included; work without any tells its own usage. */
  spent(work: Work): Spent
}

/** Counts what one step spends on its model. */
export function startMeter(options: {
  chat: ChatModel
  prices: Prices
  model: string
  baseline: string | null
  now(): number
}): Meter {
  const { chat, prices, model, baseline, now } = options
  const calls: Spent[] = []
  const book = (usage: Usage, durationMs: number) => {
    calls.push({ usage, cost: costOf(prices, { model, usage, durationMs }, baseline) })
  }
  return {
    book,
    async chat(request, signal) {
      const startedAtMs = now()
      try {
        const reply = await chat(request, signal)
        book(reply.usage, now() - startedAtMs)
        return reply
      } catch (error) {
        if (!isRefusal(error)) book(usageOf(error), now() - startedAtMs)
        throw error
      }
    },
    spent({ usage }) {
      if (calls.length > 0) return calls.reduce(addSpent)
      const isCounted = usage.inputTokens !== null || usage.outputTokens !== null
      const cost = isCounted
        ? costOf(prices, { model, usage, durationMs: null }, baseline)
        : costOfRefusal(prices, model, baseline)
      return { usage, cost }
    },
  }
}

/** The server answered with an error instead of working; that is not billed. */
function isRefusal(error: unknown): boolean {
  return error instanceof ModelFailure && (error.httpStatus ?? 0) >= 400 && !error.usage
}

function usageOf(error: unknown): Usage {
  return (error instanceof ModelFailure && error.usage) || NO_USAGE
}

function addSpent(a: Spent, b: Spent): Spent {
  return { usage: addUsage(a.usage, b.usage), cost: addCost(a.cost, b.cost) }
}

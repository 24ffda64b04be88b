import { NO_USAGE } from './chat.ts'
import { poolOf } from './model.ts'
import { type Price, type PricedCall, type Prices, priceOf, roundUsd } from './price.ts'

/** What the calls of a step cost, computed when it was recorded: later prices change nothing. */
export interface Cost extends Price {
  /** What the same tokens cost at the price of the job's baseline model; null where that is not known. */
  baselineUsd: number | null
}

export const UNKNOWN_COST: Cost = {
  costUsd: null,
  basis: 'unknown',
  priceVersion: null,
  baselineUsd: null,
}

/** @param baseline the model to compare with; null compares with none */
export function costOf(prices: Prices, call: PricedCall, baseline: string | null): Cost {
  const compared = baseline === null ? null : { ...call, model: baseline, durationMs: null }
  return {
    ...priceOf(prices, call),
    baselineUsd: compared && priceOf(prices, compared).costUsd,
  }
}

/** The cost of a call that the server refused before it did any work: it is not billed. */
export function costOfRefusal(prices: Prices, model: string, baseline: string | null): Cost {
  const usage = { ...NO_USAGE, inputTokens: 0, outputTokens: 0 }
  return { ...costOf(prices, { model, usage, durationMs: 0 }, baseline), baselineUsd: 0 }
}

/** The cost of a step in which no model was called. */
export function uncalledCost(model: string): Cost {
  const priced = { priceVersion: null, baselineUsd: 0 }
  return poolOf(model) === 'local'
    ? { costUsd: null, basis: 'local', ...priced }
    : { costUsd: 0, basis: 'list', ...priced }
}

/** Adds what is known: a sum with the basis `unknown` is at least that. What the baseline would cost is all or nothing. */
export function addCost(a: Cost, b: Cost): Cost {
  return {
    costUsd: addKnown(a.costUsd, b.costUsd),
    basis: a.basis === b.basis ? a.basis : 'unknown',
    priceVersion: laterOf(a.priceVersion, b.priceVersion),
    baselineUsd:
      a.baselineUsd === null || b.baselineUsd === null
        ? null
        : roundUsd(a.baselineUsd + b.baselineUsd),
  }
}

/** null only when neither is known. */
export function addKnown(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : roundUsd(a + b)
}

function laterOf(a: string | null, b: string | null): string | null {
  return a !== null && b !== null ? (a > b ? a : b) : (a ?? b)
}

import * as z from 'zod'
import type { Usage } from './chat.ts'
import { tierOf } from './model.ts'
import type { ModelsConfig } from './models-config.ts'

const usd = z.number().nonnegative('must not be below 0')

const rates = {
  input_usd_per_mtok: usd,
  output_usd_per_mtok: usd,
  cache_read_usd_per_mtok: usd.optional(),
  /** Of what the cache keeps for five minutes. */
  cache_write_usd_per_mtok: usd.optional(),
  cache_write_1h_usd_per_mtok: usd.optional(),
}

const listedSchema = z.strictObject({
  ...rates,
  /** Other prices, for all of a call, once its prompt holds more tokens than this. */
  above: z
    .array(z.strictObject({ prompt_tokens: z.number().int().positive(), ...rates }))
    .optional(),
})

/** config/prices.yaml: public list prices of one day. */
export const priceListSchema = z.strictObject({
  version: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be the day of the prices, such as 2026-11-22')
    .describe('the day of the prices, such as 2026-11-22'),
  models: z.record(z.string(), listedSchema).describe('prices by model'),
})

export type PriceList = z.infer<typeof priceListSchema>
type Rates = { [Rate in keyof typeof rates]?: number | undefined }

/** Everything that prices are taken from. */
export interface Prices {
  list: PriceList
  /** Settings of models.yaml; a price that stands there goes before the list. */
  models: ModelsConfig['models']
}

/**
 * Where a cost comes from. `list`: the public price list. `local`: the operator's own price in models.yaml, or own
 * hardware without one, whose cost stays null. `unknown`: a price or a number of tokens is missing.
 */
export const COST_BASES = ['list', 'local', 'unknown'] as const
export type CostBasis = (typeof COST_BASES)[number]

export interface Price {
  /** null where it is not known; 0 only for what is known to cost nothing. */
  costUsd: number | null
  basis: CostBasis
  /** The day of the price list; null where none was used. */
  priceVersion: string | null
}

export interface PricedCall {
  model: string
  usage: Usage
  /** How long the model was at work, for prices per hour; null where that is not known. */
  durationMs: number | null
}

const UNKNOWN: Price = { costUsd: null, basis: 'unknown', priceVersion: null }

/** The price of one call. Tiers go by the prompt of a call, so the usage must not be a sum of several. */
export function priceOf({ list, models }: Prices, call: PricedCall): Price {
  const own = models?.[call.model]
  if (own?.price) {
    const costUsd = ownCost(own.price, call)
    return costUsd === null ? UNKNOWN : { costUsd, basis: 'local', priceVersion: null }
  }
  const listed = listedFor(list, [call.model, own?.served_name])
  if (listed) {
    const costUsd = tokenCost(tierFor(listed, call.usage), call.usage)
    const priceVersion = list.version
    return costUsd === null
      ? { ...UNKNOWN, priceVersion }
      : { costUsd, basis: 'list', priceVersion }
  }
  return tierOf(call.model) === 'local' ? { ...UNKNOWN, basis: 'local' } : UNKNOWN
}

/** US dollars without the digits that floating point adds. */
export function roundUsd(costUsd: number): number {
  return Math.round(costUsd * 1e9) / 1e9
}

type OwnPrice = NonNullable<NonNullable<ModelsConfig['models']>[string]['price']>

/** The prices that stand there, added; what is not priced is free. */
function ownCost({ per_hour_usd: perHour, ...perToken }: OwnPrice, call: PricedCall) {
  const time =
    perHour === undefined
      ? 0
      : call.durationMs === null
        ? null
        : (call.durationMs / 3_600_000) * perHour
  const tokens = Object.keys(perToken).length === 0 ? 0 : tokenCost(perToken, call.usage)
  return time === null || tokens === null ? null : roundUsd(time + tokens)
}

/**
 * null when the server did not count. Tokens of the cache without a price of their own, and those of servers that do
 * not tell what the cache gave, cost what input costs.
 */
function tokenCost(prices: Rates, usage: Usage): number | null {
  const { inputTokens, outputTokens } = usage
  if (inputTokens === null || outputTokens === null) return null
  const read = usage.cacheReadTokens ?? 0
  const written = usage.cacheWriteTokens ?? 0
  const writtenFor1h = usage.cacheWrite1hTokens ?? 0
  const input = prices.input_usd_per_mtok ?? 0
  const write = prices.cache_write_usd_per_mtok ?? input
  const perMillion =
    (inputTokens - read - written) * input +
    read * (prices.cache_read_usd_per_mtok ?? input) +
    (written - writtenFor1h) * write +
    writtenFor1h * (prices.cache_write_1h_usd_per_mtok ?? write) +
    outputTokens * (prices.output_usd_per_mtok ?? 0)
  return roundUsd(perMillion / 1e6)
}

function tierFor(listed: PriceList['models'][string], { inputTokens }: Usage): Rates {
  const exceeded = (listed.above ?? []).filter((tier) => (inputTokens ?? 0) > tier.prompt_tokens)
  return exceeded.sort((a, b) => b.prompt_tokens - a.prompt_tokens)[0] ?? listed
}

/** Found under its own name or its server's; with a provider before it (`openai/…`) or a date after it as well. */
function listedFor({ models }: PriceList, names: readonly (string | undefined)[]) {
  return names
    .flatMap((name) => (name === undefined ? [] : [name.replace(/^.*\//, '')]))
    .flatMap((name) => [models[name], models[name.replace(/-\d{8}$/, '')]])
    .find((listed) => listed !== undefined)
}

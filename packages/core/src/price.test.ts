import { expect, test } from 'vitest'
import { addUsage, NO_USAGE, type Usage } from './chat.ts'
import { type Price, type Prices, priceListSchema, priceOf } from './price.ts'

const list = priceListSchema.parse({
  version: '2026-11-22',
  models: {
    'claude-mid': {
      input_usd_per_mtok: 3,
      output_usd_per_mtok: 15,
      cache_read_usd_per_mtok: 0.3,
      cache_write_usd_per_mtok: 3.75,
      cache_write_1h_usd_per_mtok: 6,
    },
    'claude-tiered': {
      input_usd_per_mtok: 0.1,
      output_usd_per_mtok: 0.5,
      cache_read_usd_per_mtok: 0.01,
      above: [
        { prompt_tokens: 100_000, input_usd_per_mtok: 0.5, output_usd_per_mtok: 2.5 },
        { prompt_tokens: 400_000, input_usd_per_mtok: 1, output_usd_per_mtok: 5 },
      ],
    },
    'gpt-small': { input_usd_per_mtok: 1, output_usd_per_mtok: 2, cache_read_usd_per_mtok: 0.5 },
  },
})

const prices: Prices = {
  list,
  models: {
    hourly: { price: { per_hour_usd: 0.36 } },
    counted: { price: { input_usd_per_mtok: 0.2, output_usd_per_mtok: 0.4 } },
    both: { price: { output_usd_per_mtok: 1, per_hour_usd: 3.6 } },
    alias: { served_name: 'openai/gpt-small' },
    'claude-mid-contract': { price: { input_usd_per_mtok: 1, output_usd_per_mtok: 1 } },
  },
}

const used = (inputTokens: number | null, outputTokens: number | null, more: Partial<Usage> = {}) =>
  ({ ...NO_USAGE, inputTokens, outputTokens, ...more }) satisfies Usage

const listed = (costUsd: number): Price => ({ costUsd, basis: 'list', priceVersion: '2026-11-22' })
const own = (costUsd: number | null): Price => ({ costUsd, basis: 'local', priceVersion: null })
const unknown = (priceVersion: string | null = null): Price => {
  return { costUsd: null, basis: 'unknown', priceVersion }
}

type Row = [what: string, model: string, usage: Usage, price: Price]

const ROWS: Row[] = [
  ['input and output', 'claude-mid', used(1_000_000, 100_000), listed(4.5)],
  ['nothing used costs nothing', 'claude-mid', used(0, 0), listed(0)],
  [
    'what the cache served is part of the input and cheap',
    'claude-mid',
    used(1_000_000, 0, { cacheReadTokens: 900_000 }),
    listed(0.57),
  ],
  [
    'what the cache stored is part of the input and dear',
    'claude-mid',
    used(1_000_000, 0, { cacheWriteTokens: 1_000_000 }),
    listed(3.75),
  ],
  [
    'what it stored for an hour is dearer',
    'claude-mid',
    used(1_000_000, 0, { cacheWriteTokens: 1_000_000, cacheWrite1hTokens: 500_000 }),
    listed(4.875),
  ],
  [
    'a server that tells nothing of its cache is charged for all input',
    'claude-mid',
    used(1_000_000, 0, { cacheReadTokens: null, cacheWriteTokens: null }),
    listed(3),
  ],
  [
    'storing without a price of its own costs what input costs',
    'gpt-small',
    used(1_000_000, 0, { cacheWriteTokens: 1_000_000 }),
    listed(1),
  ],
  [
    'a prompt of just the threshold is in the lower tier',
    'claude-tiered',
    used(100_000, 10_000),
    listed(0.015),
  ],
  [
    'one token more is in the next tier, output included',
    'claude-tiered',
    used(100_001, 10_000),
    listed(0.0750005),
  ],
  [
    'cached tokens count for the tier',
    'claude-tiered',
    used(200_000, 0, { cacheReadTokens: 150_000 }),
    listed(0.1),
  ],
  ['the highest tier passed is taken', 'claude-tiered', used(500_000, 0), listed(0.5)],
  ['a dated name has the price of its model', 'claude-mid-20260101', used(1e6, 0), listed(3)],
  ['a provider before the name changes nothing', 'openai/gpt-small', used(1e6, 0), listed(1)],
  ['a name of our own is found by what its server calls it', 'alias', used(1e6, 0), listed(1)],
  ['unknown input', 'claude-mid', used(null, 10), unknown('2026-11-22')],
  ['unknown output', 'claude-mid', used(10, null), unknown('2026-11-22')],
  ['a cloud model without a price', 'claude-new', used(10, 10), unknown()],
  ['own hardware without a price', 'ollama/devstral', used(10, 10), own(null)],
  ['own hardware by the hour, half a minute of it', 'hourly', used(10, 10), own(0.003)],
  ['own hardware by the hour needs no tokens', 'hourly', NO_USAGE, own(0.003)],
  ['own hardware by the token', 'counted', used(1_000_000, 500_000), own(0.4)],
  ['own hardware by the token, not counted', 'counted', NO_USAGE, unknown()],
  ['by the hour and by the token', 'both', used(5, 1_000_000), own(1.03)],
  ['a price of models.yaml before the list', 'claude-mid-contract', used(1e6, 0), own(1)],
]

test.each(ROWS)('%s', (_, model, usage, price) => {
  expect(priceOf(prices, { model, usage, durationMs: 30_000 })).toEqual(price)
})

test('a price by the hour is not known without the time', () => {
  expect(priceOf(prices, { model: 'hourly', usage: used(1, 1), durationMs: null })).toEqual(
    unknown(),
  )
})

test('cost has no digits that floating point added', () => {
  const call = { model: 'claude-mid', usage: used(1, 1), durationMs: null }
  expect(priceOf(prices, call).costUsd).toBe(0.000018)
})

test('usage of several calls keeps what was stored for an hour', () => {
  const hour = used(10, 0, { cacheWriteTokens: 10, cacheWrite1hTokens: 10 })
  expect(addUsage(hour, hour).cacheWrite1hTokens).toBe(20)
  expect(addUsage(used(1, 1), used(1, 1))).not.toHaveProperty('cacheWrite1hTokens')
})

import { type ChatReply, type ChatRequest, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { priceListSchema } from '@hyperguild/core/price.ts'
import { failedWork } from '@hyperguild/core/step.ts'
import { expect, test } from 'vitest'
import { startMeter } from './meter.ts'

const prices = {
  list: priceListSchema.parse({
    version: '2026-11-22',
    models: {
      'claude-tiered': {
        input_usd_per_mtok: 1,
        output_usd_per_mtok: 1,
        above: [{ prompt_tokens: 100, input_usd_per_mtok: 5, output_usd_per_mtok: 5 }],
      },
      'claude-base': { input_usd_per_mtok: 10, output_usd_per_mtok: 10 },
    },
  }),
  models: { hourly: { price: { per_hour_usd: 3.6 } } },
}

const REQUEST = {} as ChatRequest
const SIGNAL = AbortSignal.timeout(10_000)
const WORK = failedWork('generate', 'network', 'no answer')
const used = (inputTokens: number): Usage => ({ ...NO_USAGE, inputTokens, outputTokens: 0 })
const reply = (usage: Usage): ChatReply => ({ text: 'ok', toolCalls: [], stop: 'end', usage })

/** A meter whose calls take a second each and end as told, one after another. */
function meterOn(model: string, ...ends: (Usage | Error)[]) {
  let nowMs = 0
  const chat = async () => {
    nowMs += 1000
    const end = ends.shift()!
    if (end instanceof Error) throw end
    return reply(end)
  }
  return startMeter({ chat, prices, model, baseline: 'claude-base', now: () => nowMs })
}

async function costAfter(model: string, ...ends: (Usage | Error)[]) {
  const meter = meterOn(model, ...ends)
  for (const _ of [...ends]) await meter.chat(REQUEST, SIGNAL).catch(() => {})
  return meter.spent(WORK)
}

test('each call is priced by its own prompt, not by that of all calls together', async () => {
  const { usage, cost } = await costAfter('claude-tiered', used(80), used(80))
  expect(usage.inputTokens).toBe(160)
  expect(cost).toEqual({
    costUsd: 0.00016,
    basis: 'list',
    priceVersion: '2026-11-22',
    baselineUsd: 0.0016,
  })
})

test('a call that failed after it had used tokens is paid for', async () => {
  const failure = new ModelFailure('bad_output', 'nothing', { usage: used(50) })
  expect(await costAfter('claude-tiered', failure)).toMatchObject({
    usage: { inputTokens: 50 },
    cost: { costUsd: 0.00005, basis: 'list' },
  })
})

test('a call that was refused costs nothing', async () => {
  const refusal = new ModelFailure('rate_limited', 'wait', { httpStatus: 429 })
  const { cost } = await costAfter('claude-tiered', refusal)
  expect(cost).toMatchObject({ costUsd: 0, basis: 'list', baselineUsd: 0 })
  expect((await costAfter('claude-tiered', refusal, used(50))).cost.costUsd).toBe(0.00005)
})

test('a call that was given up has an unknown cost, and the sum says that it is not all', async () => {
  const abort = new DOMException('gone', 'AbortError')
  expect((await costAfter('claude-tiered', abort)).cost).toMatchObject({
    costUsd: null,
    basis: 'unknown',
  })
  expect((await costAfter('claude-tiered', used(50), abort)).cost).toMatchObject({
    costUsd: 0.00005,
    basis: 'unknown',
    baselineUsd: null,
  })
})

test('hardware by the hour is paid for the time of its calls, also of those that failed', async () => {
  const broken = new ModelFailure('network', 'hung up')
  const { cost } = await costAfter('hourly', used(1), broken)
  expect(cost).toMatchObject({ costUsd: 0.002, basis: 'local' })
})

test('work that made its calls elsewhere is priced by the usage it tells', () => {
  const work = { ...WORK, usage: used(50) }
  expect(meterOn('claude-tiered').spent(work)).toMatchObject({
    usage: used(50),
    cost: { costUsd: 0.00005, basis: 'list' },
  })
})

test('a failure is passed on as it came', async () => {
  const failure = new ModelFailure('overloaded', 'busy', { httpStatus: 529 })
  await expect(meterOn('claude-tiered', failure).chat(REQUEST, SIGNAL)).rejects.toBe(failure)
})

test('calls that were made without its chat are priced by the prompt of each as well', () => {
  const meter = meterOn('claude-tiered')
  for (const usage of [used(80), used(80)]) meter.book(usage, 1000)
  expect(meter.spent(WORK)).toMatchObject({
    usage: { inputTokens: 160 },
    cost: { costUsd: 0.00016, basis: 'list' },
  })
})

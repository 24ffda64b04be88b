import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attempt } from '@hyperguild/core/attempt.ts'
import type { JobResult, SessionEntry } from '@hyperguild/core/result.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { tokensIn } from '@hyperguild/io/simulated/exchange.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const CHAINS = `
verifier: claude-sonnet-4-6
baseline: claude-opus-4-6
default_chain: [ollama/small, ollama/priced, claude-sonnet-4-6]
models:
  ollama/priced:
    price: { input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.2 }
`
const ACCEPT = 'skill: verifier, answer: {accept: true, feedback: Fine.}'
const REJECT = 'skill: verifier, times: 1, answer: {accept: false, feedback: No.}'
const GOOD = 'answer: {message: Nothing to complain about., findings: []}'

async function startFleet(...rules: string[]) {
  const script = `rules:\n${rules.map((rule) => `  - {${rule}}`).join('\n')}\n`
  const fleet = await startTestFleet({ script, chains: CHAINS })
  const call = await connectCaller(fleet)
  const project_root = await fleet.writeProject({ 'a.js': 'export const a = 1\n' })
  const review = async (input: object = {}) =>
    (await call('review', { project_root, files: ['a.js'], ...input })).result
  return { fleet, review }
}

/** The attempts that passed through the stream, oldest first. */
async function streamed({ redisPrefix }: TestFleet): Promise<Attempt[]> {
  const redis = connectRedis(inject('redisUrl'), 'test', 'wait')
  onTestFinished(() => redis.disconnect())
  const entries = await redis.xrange(keysFor(redisPrefix).attempts, '-', '+')
  return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('attempt') + 1]!) as Attempt)
}

async function entryOf({ sessionsDir }: TestFleet, { session_id }: JobResult) {
  const file = join(sessionsDir, `${session_id}.jsonl`)
  return vi.waitFor(async () => JSON.parse(await readFile(file, 'utf8')) as SessionEntry)
}

const sum = (numbers: (number | null)[]) => numbers.reduce<number>((a, b) => a + (b ?? 0), 0)

test('a result, its log line and the stream of attempts tell the same tokens and cost', async () => {
  const { fleet, review } = await startFleet(
    `model: small, ${GOOD}`,
    `model: priced, ${GOOD}`,
    REJECT,
    ACCEPT,
  )
  const result = await review()
  expect(result).toMatchObject({
    status: 'pass',
    model_used: 'ollama/priced',
    unpriced_models: ['ollama/small'],
    baseline_model: 'claude-opus-4-6',
    attempts: [
      { cost_usd: null, cost_basis: 'local', verifier_cost_basis: 'list' },
      { cost_basis: 'local', verifier_cost_basis: 'list', price_version: '2026-11-22' },
    ],
  })

  const { usage, cost_usd, unpriced_models, baseline_model, saved_usd_estimate, attempts } = result
  const totals = { usage, cost_usd, unpriced_models, baseline_model, saved_usd_estimate }
  expect(await entryOf(fleet, result)).toMatchObject({ ...totals, attempts })
  expect(await streamed(fleet)).toEqual(attempts)

  const costs = attempts.flatMap((a) => [a.cost_usd, a.verifier_cost_usd])
  expect(cost_usd).toBeCloseTo(sum(costs), 9)
  const tokens = attempts.flatMap((a) => [a.usage.inputTokens, a.verifier_usage!.inputTokens])
  expect(usage!.inputTokens).toBe(sum(tokens))
})

test('the saving compares the accepted tokens at the price of the baseline with all that was spent', async () => {
  const { review } = await startFleet(`model: priced, ${GOOD}`, 'model: small, drop: true', ACCEPT)
  const named = await review({ model: 'ollama/priced' })
  const { inputTokens, outputTokens } = named.usage!
  const atOpus = (inputTokens! * 5 + outputTokens! * 25) / 1e6
  expect(named.cost_usd).toBeCloseTo((inputTokens! * 0.1 + outputTokens! * 0.2) / 1e6, 9)
  expect(named.saved_usd_estimate).toBeCloseTo(atOpus - named.cost_usd!, 9)
})

test('the second verdict on a skill reads what stays the same from the prompt cache, and costs less', async () => {
  const { fleet, review } = await startFleet(`model: small, ${GOOD}`, ACCEPT)
  const [first, second] = [await review(), await review()].map((result) => result.attempts[0]!)
  const { system } = fleet.models.calls().find((call) => call.skill === 'verifier')!
  expect(system).toContain('# review')
  const cachedTokens = tokensIn(system)
  expect(first!.verifier_usage).toMatchObject({
    cacheReadTokens: 0,
    cacheWriteTokens: cachedTokens,
  })
  expect(second!.verifier_usage).toMatchObject({
    cacheReadTokens: cachedTokens,
    cacheWriteTokens: 0,
  })
  // Written at 3.75 dollars per million tokens, read at 0.30; the rest of the two calls is the same.
  const saved = (cachedTokens * (3.75 - 0.3)) / 1e6
  expect(first!.verifier_cost_usd! - second!.verifier_cost_usd!).toBeCloseTo(saved, 9)
})

test('what a failed attempt used is kept, and what a refused call cost is nothing', async () => {
  const { review } = await startFleet(
    'model: small, text: no JSON at all',
    'model: priced, error: {status: 400, message: no}',
    'model: claude-sonnet-4-6, text: no JSON at all',
  )
  const result = await review()
  expect(result).toMatchObject({ status: 'error', saved_usd_estimate: null })
  expect(result.attempts).toMatchObject([
    { verdict: 'error', cost_usd: null, cost_basis: 'local' },
    { verdict: 'error', cost_usd: 0, cost_basis: 'local', usage: { inputTokens: null } },
    { verdict: 'error', cost_basis: 'list', usage: { inputTokens: expect.any(Number) } },
  ])
  expect(result.attempts[0]!.usage.outputTokens).toBeGreaterThan(0)
  expect(result.cost_usd).toBe(result.attempts[2]!.cost_usd)
  expect(result.cost_usd).toBeGreaterThan(0)
})

test('a call that broke off has a cost that nobody knows', async () => {
  const { review } = await startFleet(
    'model: small, drop: true',
    'model: priced, drop: true',
    `model: claude-sonnet-4-6, ${GOOD}`,
  )
  const result = await review()
  expect(result.attempts.map((a) => [a.cost_usd === null, a.cost_basis])).toEqual([
    [true, 'local'],
    [true, 'unknown'],
    [false, 'list'],
  ])
  expect(result).toMatchObject({
    status: 'pass',
    cost_usd: result.attempts[2]!.cost_usd,
    unpriced_models: ['ollama/small', 'ollama/priced'],
    saved_usd_estimate: null,
  })
})

import type { Attempt } from '@hyperguild/core/attempt.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import { expect, test } from 'vitest'
import { attemptCostText, moneyLines, usdText } from './money.ts'

const attempt = (changes: Partial<Attempt>) =>
  ({
    cost_usd: 0.25,
    cost_basis: 'list',
    verifier_cost_usd: null,
    verifier_cost_basis: null,
    price_version: '2026-11-22',
    ...changes,
  }) as Attempt

const result = (changes: Partial<JobResult>) =>
  ({
    attempts: [attempt({})],
    cost_usd: 0.25,
    unpriced_models: [],
    baseline_model: 'claude-a',
    saved_usd_estimate: 0.5,
    ...changes,
  }) as JobResult

test.each([
  [0.01234, '$0.0123'],
  [0, '$0.0000'],
  [-0.5, '-$0.5000'],
  [-0.00001, '$0.0000'],
])('%d dollars are written %s', (usd, text) => {
  expect(usdText(usd)).toBe(text)
})

test.each<[Partial<Attempt>, string]>([
  [{}, '$0.2500'],
  [{ cost_usd: null, cost_basis: 'local' }, 'own hardware'],
  [{ cost_usd: null, cost_basis: 'unknown' }, 'unknown'],
  [{ cost_basis: 'unknown' }, 'over $0.2500'],
  [{ verifier_cost_usd: 0.125, verifier_cost_basis: 'list' }, '$0.2500 + $0.1250'],
  [{ verifier_cost_usd: null, verifier_cost_basis: 'unknown' }, '$0.2500 + unknown'],
])('the cost of an attempt hides no gap: %o', (changes, text) => {
  expect(attemptCostText(attempt(changes))).toBe(text)
})

test('the totals name what they leave out, and call the saving an estimate', () => {
  const unpriced = result({ cost_usd: null, unpriced_models: ['own'], saved_usd_estimate: null })
  expect(moneyLines([result({}), unpriced, result({ baseline_model: 'claude-b' })], false)).toEqual(
    [
      'Cost: $0.5000 at the list prices of 2026-11-22, verifications included; without a price, and left out: own.',
      'Saving, an estimate: $1.0000 in 2 of 3 jobs: what the accepted tokens cost at claude-a or claude-b, less what was spent.',
    ],
  )
})

test('nothing known is not nothing spent', () => {
  const own = attempt({ cost_usd: null, cost_basis: 'local', price_version: null })
  const none = result({ attempts: [own], cost_usd: null, saved_usd_estimate: null })
  expect(moneyLines([none], true)).toEqual([
    'Cost: unknown, verifications included.',
    'Saving: not known.',
    'The models are simulated, so the tokens are too: nobody is billed.',
  ])
})

import { describe, expect, test } from 'vitest'
import { advance } from './advance.ts'
import { NO_USAGE } from './chat.ts'
import type { Cost } from './cost.ts'
import { aJob, applying, candidate, failed, PATCH, usageOf, verdict } from './job.fixture.ts'
import type { Job } from './job.ts'
import type { Spending } from './spending.ts'
import type { Step } from './step.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'
const CLOUD = 'claude-sonnet-4-6'
const VERSION = '2026-11-22'

const job = (changes: Partial<Job> = {}) => aJob({ baseline: CLOUD, ...changes })

const listed = (costUsd: number, baselineUsd = costUsd): Cost => {
  return { costUsd, basis: 'list', priceVersion: VERSION, baselineUsd }
}
const own = (costUsd: number | null, baselineUsd: number | null): Cost => {
  return { costUsd, basis: 'local', priceVersion: null, baselineUsd }
}
const UNKNOWN: Cost = { costUsd: null, basis: 'unknown', priceVersion: VERSION, baselineUsd: null }

const costing = <S extends Step>(step: S, cost: Cost): S => ({ ...step, cost })
const accepted = (cost: Cost) => costing(verdict('accepted', 'Good.', usageOf(30, 4)), cost)
const rejected = (cost: Cost) => costing(verdict('rejected', 'No.', usageOf(30, 4)), cost)

function spendingAtEnd(steps: readonly Step[], changes: Partial<Job> = {}): Spending {
  const { end } = advance(job(changes), steps, null, 6000)
  return end!.result
}

type Row = [what: string, steps: Step[], spending: Partial<Spending>]

const ROWS: Row[] = [
  [
    'own hardware without a price is left out of the cost, said so, and free in the estimate',
    [costing(candidate(SMALL), own(null, 0.02)), accepted(listed(0.005))],
    { cost_usd: 0.005, unpriced_models: [SMALL], saved_usd_estimate: 0.015 },
  ],
  [
    'own hardware with a price counts like any other',
    [costing(candidate(SMALL), own(0.001, 0.02)), accepted(listed(0.005))],
    { cost_usd: 0.006, unpriced_models: [], saved_usd_estimate: 0.014 },
  ],
  [
    'rejected attempts make a job dearer than the baseline alone',
    [
      costing(candidate(SMALL), own(null, 0.03)),
      rejected(listed(0.004)),
      costing(candidate(LARGE), own(null, 0.03)),
      rejected(listed(0.004)),
      costing(candidate(CLOUD), listed(0.02)),
    ],
    { cost_usd: 0.028, unpriced_models: [SMALL, LARGE], saved_usd_estimate: -0.008 },
  ],
  [
    'the baseline itself, at once, saves nothing',
    [costing(candidate(CLOUD), listed(1))],
    { cost_usd: 1, unpriced_models: [], saved_usd_estimate: 0 },
  ],
  [
    'a model that nobody serves costs nothing',
    [failed(SMALL, 'unserved'), costing(candidate(LARGE), own(0.25, 1)), accepted(listed(0.25))],
    { cost_usd: 0.5, saved_usd_estimate: 0.5 },
  ],
  [
    'one unknown number makes the saving unknown, and the cost the sum of the others',
    [
      costing(failed(SMALL, 'timeout_stall'), UNKNOWN),
      costing(candidate(LARGE), own(0.1, 0.5)),
      accepted(listed(0.2)),
    ],
    { cost_usd: 0.3, unpriced_models: [SMALL], saved_usd_estimate: null },
  ],
  [
    'without tokens of the accepted attempt there is nothing to compare',
    [costing(candidate(SMALL), own(null, null)), accepted(listed(0.2))],
    { cost_usd: 0.2, saved_usd_estimate: null },
  ],
  [
    'steps without a recorded cost are unknown, not free',
    [candidate(SMALL), verdict('accepted', 'Good.')],
    { cost_usd: null, unpriced_models: [SMALL, CLOUD], saved_usd_estimate: null },
  ],
]

test.each(ROWS)('%s', (_, steps, spending) => {
  const chain = steps.flatMap((step) => (step.kind === 'generate' ? [step.model] : []))
  expect(spendingAtEnd(steps, { chain })).toMatchObject({ baseline_model: CLOUD, ...spending })
})

test('a job that nobody accepted has its cost but saved nothing', () => {
  const steps = [costing(candidate(SMALL), own(0.1, 1)), rejected(listed(0.2))]
  expect(spendingAtEnd(steps, { chain: [SMALL] })).toMatchObject({
    cost_usd: 0.3,
    saved_usd_estimate: null,
  })
})

test('putting the change into the tree costs nothing', () => {
  const made = costing(candidate(SMALL, { patch: PATCH, usage: usageOf(9, 1) }), own(0.1, 1))
  const spending = spendingAtEnd([made, accepted(listed(0.2)), applying(SMALL)], { apply: true })
  expect(spending).toMatchObject({ cost_usd: 0.3, saved_usd_estimate: 0.7, unpriced_models: [] })
})

describe('an attempt carries what its calls cost', () => {
  const attempt = (...steps: Step[]) => advance(job(), steps, null, 6000)

  test('with its verification beside it', () => {
    const made = costing(candidate(SMALL, { usage: usageOf(10, 2) }), own(null, 0.02))
    const { end } = attempt(made, accepted(listed(0.005)))
    expect(end!.result.attempts).toMatchObject([
      {
        usage: usageOf(10, 2),
        verifier_usage: usageOf(30, 4),
        cost_usd: null,
        cost_basis: 'local',
        verifier_cost_usd: 0.005,
        verifier_cost_basis: 'list',
        price_version: VERSION,
      },
    ])
  })

  test('and those of calls that were made again', () => {
    const first = { ...failed(CLOUD, 'timeout_stall'), usage: { ...NO_USAGE, outputTokens: 1 } }
    const { end } = advance(
      job({ chain: [CLOUD] }),
      [costing(first, UNKNOWN), costing(candidate(CLOUD, { usage: usageOf(5, 5) }), listed(0.3))],
      null,
      6000,
    )
    expect(end!.result).toMatchObject({ cost_usd: 0.3, usage: usageOf(5, 6) })
    expect(end!.result.attempts).toMatchObject([
      { cost_usd: 0.3, cost_basis: 'unknown', usage: usageOf(5, 6), verifier_cost_usd: null },
    ])
  })
})

test('the totals stand in the log line as in the result', () => {
  const steps = [costing(candidate(SMALL), own(0.001, 0.02)), accepted(listed(0.005))]
  const { result, entry } = advance(job(), steps, null, 6000).end!
  const { usage, cost_usd, unpriced_models, baseline_model, saved_usd_estimate } = result
  expect(entry).toMatchObject({
    usage,
    cost_usd,
    unpriced_models,
    baseline_model,
    saved_usd_estimate,
  })
})

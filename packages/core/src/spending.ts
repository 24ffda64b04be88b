import { addUsage, type Usage } from './chat.ts'
import { addCost, addKnown, type Cost, UNKNOWN_COST, uncalledCost } from './cost.ts'
import type { Failure } from './failure.ts'
import type { Job } from './job.ts'
import { type CostBasis, roundUsd } from './price.ts'
import type { GenerateStep, Step, VerifyStep } from './step.ts'

/** What an attempt and its verification used and cost, calls that were made again included. Names as the log spells them. */
export interface AttemptSpending {
  usage: Usage
  verifier_usage: Usage | null
  /** null where it is not known; with the basis `unknown`, a number is only the part that is. */
  cost_usd: number | null
  cost_basis: CostBasis
  /** null where no verifier was asked, too. */
  verifier_cost_usd: number | null
  verifier_cost_basis: CostBasis | null
  /** The day of the price list that was used; null where none was. */
  price_version: string | null
}

/** What a whole job used and cost. */
export interface Spending {
  /** null when no model was asked. */
  usage: Usage | null
  /** The sum of what is known; null when nothing is. */
  cost_usd: number | null
  /** Models with a call that `cost_usd` leaves out: own hardware without a price, or a number that nobody knows. */
  unpriced_models: readonly string[]
  /** The model that savings are estimated against. */
  baseline_model: string | null
  /**
   * An estimate: what the accepted attempt's tokens cost at the baseline's price, less `cost_usd`. Below 0 when the
   * chain cost more than it saved. Own hardware without a price counts as free. null when no attempt was accepted, or
   * when a figure it rests on is not known.
   */
  saved_usd_estimate: number | null
}

/** Of one attempt: all its steps of either kind, at least one of them a `generate`. */
export function attemptSpending(
  generations: readonly GenerateStep[],
  verifications: readonly VerifyStep[],
): AttemptSpending {
  const own = totalOf(generations)!
  const verifier = totalOf(verifications)
  const all = totalOf([...generations, ...verifications])!
  return {
    usage: own.usage,
    verifier_usage: verifier?.usage ?? null,
    cost_usd: own.cost.costUsd,
    cost_basis: own.cost.basis,
    verifier_cost_usd: verifier?.cost.costUsd ?? null,
    verifier_cost_basis: verifier?.cost.basis ?? null,
    price_version: all.cost.priceVersion,
  }
}

/** Of a job so far. @param accepted the step whose output was accepted, if one was */
export function spendingOf(
  job: Job,
  steps: readonly Step[],
  accepted: GenerateStep | null,
): Spending {
  const asked = steps.filter((step) => step.kind !== 'apply')
  const total = totalOf(asked)
  const unpriced = asked.filter((step) => isLeftOut(costIn(step)))
  return {
    usage: total?.usage ?? null,
    cost_usd: total?.cost.costUsd ?? null,
    unpriced_models: [...new Set(unpriced.map((step) => step.model))],
    baseline_model: job.baseline ?? null,
    saved_usd_estimate: savedUsd(accepted, asked),
  }
}

function savedUsd(accepted: GenerateStep | null, asked: readonly Step[]): number | null {
  const costs = asked.map(costIn)
  const baselineUsd = accepted && costIn(accepted).baselineUsd
  if (baselineUsd === null || costs.some(({ basis }) => basis === 'unknown')) return null
  const costUsd = costs.map((cost) => cost.costUsd).reduce(addKnown, null)
  return roundUsd(baselineUsd - (costUsd ?? 0))
}

function totalOf(steps: readonly Step[]): { usage: Usage; cost: Cost } | null {
  if (steps.length === 0) return null
  return {
    usage: steps.map((step) => step.usage).reduce(addUsage),
    cost: steps.map(costIn).reduce(addCost),
  }
}

/** Failures that come before any call. */
const UNCALLED: readonly Failure[] = ['unserved', 'breaker_open']

function costIn({ cost, outcome, model }: Step): Cost {
  if (cost) return cost
  const isUncalled = 'failure' in outcome && UNCALLED.includes(outcome.failure)
  return isUncalled ? uncalledCost(model) : UNKNOWN_COST
}

function isLeftOut({ costUsd, basis }: Cost): boolean {
  return costUsd === null || basis === 'unknown'
}

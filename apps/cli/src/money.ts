import type { Attempt } from '@hyperguild/core/attempt.ts'
import type { JobResult } from '@hyperguild/core/result.ts'

/** Four decimals, because a call costs cents at most. */
export function usdText(usd: number): string {
  const digits = Math.abs(usd).toFixed(4)
  return usd <= -0.00005 ? `-$${digits}` : `$${digits}`
}

/** What one attempt and its verification cost, for a narrow column. */
export function attemptCostText(attempt: Attempt): string {
  const { cost_usd, cost_basis, verifier_cost_usd, verifier_cost_basis } = attempt
  const own = costText(cost_usd, cost_basis)
  return verifier_cost_basis === null
    ? own
    : `${own} + ${costText(verifier_cost_usd, verifier_cost_basis)}`
}

/** What jobs cost and saved together, in sentences that hide no gap. */
export function moneyLines(results: readonly JobResult[], simulated: boolean): string[] {
  return [
    costLine(results),
    savingLine(results),
    ...(simulated ? ['The models are simulated, so the tokens are too: nobody is billed.'] : []),
  ]
}

function costText(usd: number | null, basis: Attempt['cost_basis']): string {
  if (usd === null) return basis === 'local' ? 'own hardware' : 'unknown'
  return basis === 'unknown' ? `over ${usdText(usd)}` : usdText(usd)
}

function costLine(results: readonly JobResult[]): string {
  const versions = unique(results.flatMap((r) => r.attempts.map((a) => a.price_version)))
  const at = versions.length === 0 ? '' : ` at the list prices of ${versions.join(' and ')}`
  const unpriced = unique(results.flatMap((r) => r.unpriced_models))
  const gap = unpriced.length === 0 ? '' : `; without a price, and left out: ${unpriced.join(', ')}`
  const known = results.flatMap((r) => r.cost_usd ?? [])
  const cost = known.length === 0 ? 'unknown' : usdText(sum(known))
  return `Cost: ${cost}${at}, verifications included${gap}.`
}

function savingLine(results: readonly JobResult[]): string {
  const known = results.filter((r) => r.saved_usd_estimate !== null)
  if (known.length === 0) return 'Saving: not known.'
  const baselines = unique(known.map((r) => r.baseline_model))
  const saved = usdText(sum(known.map((r) => r.saved_usd_estimate ?? 0)))
  const gap = results.length - known.length
  const of = gap === 0 ? '' : ` in ${known.length} of ${results.length} jobs`
  return `Saving, an estimate: ${saved}${of}: what the accepted tokens cost at ${baselines.join(' or ')}, less what was spent.`
}

function unique(words: readonly (string | null)[]): string[] {
  return [...new Set(words.filter((word) => word !== null))]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

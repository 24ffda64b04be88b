import { LEASE_MS } from '@hyperguild/io/queue/lease-keeper.ts'
import type { Findings } from './run.ts'

const SHOWN = 12

/** What a run found, for a person; the verdict comes last. */
export function reportText(findings: Findings): string {
  const { plan, damage, counts, recoveryMs, lost, doubled, wrong, left } = findings
  const unpassed = findings.unpassed.slice(0, SHOWN)
  const deeds = Object.entries(damage.deeds).map(([deed, times]) => `${deed} ${times}`)
  const share = findings.chaosPerSecond / findings.calmPerSecond
  const recovery =
    recoveryMs.length === 0
      ? 'no step was under way on a killed worker'
      : `p50 ${seconds(share50(recoveryMs))}, p99 ${seconds(share99(recoveryMs))}, longest ${seconds(Math.max(...recoveryMs))}; ${recoveryMs.length} steps, lease ${seconds(LEASE_MS)}`
  return [
    `chaos, seed ${plan.seed}: ${seconds(findings.tookMs)}`,
    `harm        ${damage.kills.length} kills; ${deeds.join(', ')}`,
    `throughput  ${findings.calmPerSecond.toFixed(1)} jobs/s in peace, ${findings.chaosPerSecond.toFixed(1)} in havoc (${Math.round(share * 100)} %); the last call ended ${seconds(findings.drainMs)} after the harm`,
    `recovery    after the kill of a worker: ${recovery}`,
    `calls       ${counts.calls}, passed ${counts.passed}`,
    `attempts    ${counts.attempts} recorded`,
    `steps       ${counts.queued} queued`,
    `log         ${counts.entries} lines`,
    `projects    ${counts.patches} patches applied`,
    ...unpassed.map((what) => `  not passed: ${what}`),
    ...listed('wrong', wrong),
    ...listed('left', left),
    ...listed('lost', lost),
    ...listed('doubled', doubled),
    '',
  ].join('\n')
}

export function exitCodeOf({ lost, doubled, wrong, left }: Findings): number {
  return [lost, doubled, wrong, left].every((list) => list.length === 0) ? 0 : 1
}

function listed(name: string, items: readonly string[]): string[] {
  return [...items.slice(0, SHOWN).map((item) => `  ${name}: ${item}`), `${name} ${items.length}`]
}

function share50(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

function share99(samples: readonly number[]): number {
  return percentile(samples, 0.99)
}

function percentile(samples: readonly number[], share: number): number {
  return samples.toSorted((a, b) => a - b)[Math.ceil(share * samples.length) - 1]!
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { METRICS } from '@hyperguild/io/metrics/table.ts'
import { startPool } from '@hyperguild/worker/pool.ts'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { connectCaller } from '../../test/call-skill.ts'
import { startTestFleet, type TestFleet } from '../../test/test-fleet.ts'
import { metricsIn } from './promql.ts'

interface Rule {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; runbook: string }
}

interface Panel {
  title: string
  targets: { expr: string }[]
}

const rules = (
  parse(readFileSync('deploy/monitoring/rules.yaml', 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules)
const { panels } = JSON.parse(readFileSync('deploy/monitoring/dashboard.json', 'utf8')) as {
  panels: Panel[]
}
const inPanels = panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', '5m') })),
)
const asked = [...rules.map(({ alert, expr }) => ({ title: alert, expr })), ...inPanels]

const SCRIPT = `
rules:
  - {model: small, times: 1, error: {status: 500}}
  - {skill: verifier, answer: {accept: true, feedback: Fine.}}
  - {answer: {message: Fine., findings: []}}
`
const CHAINS = `
verifier: claude-sonnet-4-6
default_chain: [ollama/small, claude-sonnet-4-6]
`

/** Starts a worker that can be scraped; returns its address. */
async function startWorker(fleet: TestFleet, tier: 'local' | 'cloud'): Promise<string> {
  const port = await freePort()
  const environment = readEnvironment({
    ...fleet.variables,
    HYPERGUILD_PROBE_PORT: String(port),
  })
  const pool = await startPool({
    environment,
    config: loadConfig(environment),
    log: createLogger('test', 'silent'),
    redisUrl: environment.redisUrl!,
    tier,
  })
  onTestFinished(() => pool.close())
  return `http://127.0.0.1:${port}`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Every sample of a scrape: its name and labels. */
async function scrape(url: string): Promise<{ name: string; labels: string; value: number }[]> {
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  return [...text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, name, labels = '', value]) => ({ name: name!, labels, value: Number(value) }),
  )
}

test('a fleet that has done some jobs shows every metric that dashboard and alerts ask for', async () => {
  const fleet = await startTestFleet({ script: SCRIPT, chains: CHAINS, pools: [] })
  const workers = [await startWorker(fleet, 'local'), await startWorker(fleet, 'cloud')]
  const call = await connectCaller(fleet)
  const project_root = await fleet.writeProject({ 'a.js': 'export const a = 1\n' })
  // The local model fails the first time and the cloud model does the work; then its work is judged and accepted.
  for (const file of ['first', 'second']) {
    const { result } = await call('review', { project_root, files: ['a.js'], context: file })
    expect(result.status).toBe('pass')
  }
  const samples = (await Promise.all([fleet.url, ...workers].map(scrape))).flat()
  const shown = new Set(samples.map(({ name }) => name))
  const missing = asked.flatMap(({ title, expr }) =>
    metricsIn(expr)
      .filter((name) => !shown.has(name))
      .map((name) => `${title}: ${name}`),
  )
  expect(missing).toEqual([])

  const sumOf = (wanted: string, label = '') =>
    samples
      .filter(({ name, labels }) => name === wanted && labels.includes(label))
      .reduce((sum, { value }) => sum + value, 0)
  expect(sumOf('hyperguild_jobs_total', 'status="pass"')).toBe(2)
  expect(sumOf('hyperguild_attempts_total')).toBe(3)
  expect(
    sumOf('hyperguild_attempts_total', 'model="ollama/small",tier="local",verdict="accept"'),
  ).toBe(1)
  expect(
    sumOf('hyperguild_step_failures_total', 'model="ollama/small",failure="server_error"'),
  ).toBe(1)
  expect(sumOf('hyperguild_step_run_seconds_count', 'kind="verify"')).toBe(1)
  expect(sumOf('hyperguild_cost_usd_total', 'model="claude-sonnet-4-6"')).toBeGreaterThan(0)
  expect(sumOf('hyperguild_workers', 'tier="local"')).toBe(1)
  expect(sumOf('hyperguild_redis_up')).toBe(1)

  const unknown = [...shown].filter(
    (name) =>
      name.startsWith('hyperguild_') && !(name.replace(/_(bucket|sum|count)$/, '') in METRICS),
  )
  expect(unknown).toEqual([])
})

test('every query is PromQL, and the check of that can fail', () => {
  for (const { expr } of asked) expect(metricsIn(expr).length, expr).toBeGreaterThan(0)
  expect(() => metricsIn('sum(rate(a[5m])')).toThrow('no PromQL')
  expect(metricsIn('sum by (model) (rate(a_total[5m])) > on (x) b{c="d"}')).toEqual([
    'a_total',
    'b',
  ])
})

test('every metric of ours that can go wrong is on the dashboard or wakes somebody', () => {
  const used = new Set(asked.flatMap(({ expr }) => metricsIn(expr)))
  const names = Object.keys(METRICS).filter(
    (name) => ![...used].some((one) => one.startsWith(name)),
  )
  expect(names).toEqual([])
})

test('every alert says how bad it is, what it means and what to do', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, labels, annotations } of rules) {
    expect(['critical', 'warning', 'info'], alert).toContain(labels.severity)
    expect(annotations.summary.length, alert).toBeGreaterThan(20)
    expect(annotations.runbook.length, alert).toBeGreaterThan(20)
  }
})

test('panels do not cover one another, and each has a name of its own', () => {
  const { panels } = JSON.parse(readFileSync('deploy/monitoring/dashboard.json', 'utf8')) as {
    panels: { title: string; gridPos: { x: number; y: number; w: number; h: number } }[]
  }
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
})

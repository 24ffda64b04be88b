import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { startTestFleet } from './test-fleet.ts'

// The conformance suite of the protocol against a real gateway, queue and worker; only the model is simulated.

const SUITE = resolve('node_modules/@modelcontextprotocol/conformance/dist/index.js')
const BASELINE = resolve('test/conformance-baseline.yaml')
const TIMEOUT_MS = 180_000

const RUNS = [
  ['--requirements', '2026-07-28'],
  ['--requirements', '2025-11-25', '--expected-failures', BASELINE],
  ['--scenario', 'sep-2640-skills-directory'],
  ['--scenario', 'sep-2640-skills-enumeration'],
  ['--scenario', 'sep-2640-skills-manifest'],
]

/** Scenarios beyond what the revision requires; the suite runs them without counting them. */
const EXTENSIONS = [
  'tasks-lifecycle',
  'tasks-capability-negotiation',
  'tasks-wire-fields',
  'tasks-request-state-removal',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-dispatch-and-envelope',
  'tasks-required-task-error',
  'tasks-mrtr-composition',
  'http-header-validation',
  'http-custom-header-server-validation',
  'json-schema-2020-12',
  'sep-2640-skills-directory',
  'sep-2640-skills-enumeration',
  'sep-2640-skills-manifest',
]

interface Check {
  scenario: string
  id: string
  status: string
  errorMessage?: string
}

function run(url: string, args: readonly string[], outDir: string) {
  return new Promise<{ args: string; exitCode: number; tail: string }>((done) => {
    const all = [SUITE, 'server', '--url', `${url}/mcp`, ...args, '-o', outDir]
    execFile(process.execPath, all, { maxBuffer: 100_000_000 }, (error, stdout) => {
      const exitCode = error ? Number(error.code ?? 1) : 0
      const name = args.slice(0, 2).join(' ')
      done({ args: name, exitCode, tail: exitCode === 0 ? '' : stdout.slice(-2000) })
    })
  })
}

/** Every check of a run; its folder is called `server-<scenario>-<time>`. */
function checksIn(outDir: string): Check[] {
  return globSync(join(outDir, '**/checks.json')).flatMap((file) => {
    const scenario = /server-([^/]+?)-\d{4}-\d\d-\d\dT[^/]*\/checks\.json$/.exec(file)![1]!
    const checks = JSON.parse(readFileSync(file, 'utf8')) as Omit<Check, 'scenario'>[]
    return checks.map((check) => ({ ...check, scenario }))
  })
}

test(
  'the server passes the conformance suite of both eras, of tasks and of skills',
  async () => {
    const fleet = await startTestFleet({
      script: readFileSync('config/conformance/simulated-models.yaml', 'utf8'),
      environment: {
        HYPERGUILD_CONFORMANCE: '1',
        HYPERGUILD_LOCAL_CONCURRENCY: '64',
        HYPERGUILD_SANDBOX: 'none',
      },
    })
    const outDirs = RUNS.map((_, index) => join(fleet.folder, `conformance-${index}`))
    const done = await Promise.all(RUNS.map((args, i) => run(fleet.url, args, outDirs[i]!)))
    expect(done).toEqual(
      RUNS.map((args) => ({ args: args.slice(0, 2).join(' '), exitCode: 0, tail: '' })),
    )

    const checks = outDirs.flatMap(checksIn)
    const expected = (parse(readFileSync(BASELINE, 'utf8')) as { server: string[] }).server
    const failures = checks.filter(
      ({ status, scenario }) => status === 'FAILURE' && !expected.includes(scenario),
    )
    expect(failures).toEqual([])
    const passed = new Set(checks.filter((c) => c.status === 'SUCCESS').map((c) => c.scenario))
    expect(EXTENSIONS.filter((scenario) => !passed.has(scenario))).toEqual([])
    expect(checks.filter(({ status }) => status === 'SUCCESS').length).toBeGreaterThan(240)
  },
  TIMEOUT_MS,
)

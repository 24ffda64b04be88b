import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evidenceOf } from '@hyperguild/core/attempt.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Patch, TestRun } from '@hyperguild/core/evidence.ts'
import { detectTestCommand } from '@hyperguild/core/test-report/detect-test-command.ts'
import { leavingNoTraces } from '@hyperguild/io/work/leave-no-traces.ts'
import { runTests } from '@hyperguild/io/work/run-tests.ts'
import { openFreshCheckout, type Workspace } from '@hyperguild/io/work/workspace.ts'
import { filesUnder } from '@hyperguild/io/work/workspace-files.ts'
import type { Attempting } from './attempting.ts'

/** Where an attempt's tests are run, always by the worker and always confined. */
export interface TestBench {
  /** On the untouched project; run once per job, later attempts read it from the record. */
  before(signal: AbortSignal): Promise<TestRun>
  /** In the model's own copy, which is left as the model had it. */
  during(signal: AbortSignal): Promise<TestRun>
  /** In a fresh checkout with the patch applied, which no model has touched. */
  after(patch: Patch, signal: AbortSignal): Promise<TestRun>
}

/** @throws {RequestError} when no test command was given and none can be found */
export async function testBench(attempting: Attempting, workspace: Workspace): Promise<TestBench> {
  const { deps, job, skill, steps } = attempting
  const command = await testCommandOf(job.input, workspace)
  const sandbox = { ...deps.sandbox, overlays: workspace.overlays }
  const limits = { wallMs: skill.limits.test_seconds * 1000 }
  const run = (workDir: string, signal: AbortSignal) =>
    runTests({ sandbox, command, workDir, limits }, signal)
  const runFresh = async (patch: Patch | null, signal: AbortSignal) => {
    const checkout = await openFreshCheckout(workspace, patch, signal)
    try {
      return await run(checkout.tree, signal)
    } finally {
      await checkout.dispose()
    }
  }
  const recorded = steps
    .map((step) => (step.kind === 'generate' ? evidenceOf(step.outcome).before : null))
    .find((before) => before !== null)
  return {
    before: async (signal) => recorded ?? runFresh(null, signal),
    during: (signal) => leavingNoTraces(workspace, () => run(workspace.tree, signal), signal),
    after: runFresh,
  }
}

async function testCommandOf(
  input: Readonly<Record<string, unknown>>,
  { tree }: Workspace,
): Promise<string> {
  if (typeof input.test_cmd === 'string') return input.test_cmd
  const files = await Array.fromAsync(filesUnder(tree, '.'))
  const found = detectTestCommand(files, (path) => readFileSync(join(tree, path), 'utf8'))
  if (found !== null) return found
  throw new RequestError(
    'invalid_argument',
    'test_cmd: the project does not show how its tests are run; give the command',
  )
}

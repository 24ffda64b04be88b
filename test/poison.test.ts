import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { environmentWith } from '@hyperguild/io/config/environment.ts'
import { startChild } from '@hyperguild/io/process/child-service.ts'
import type { DeadLetter } from '@hyperguild/io/queue/dead-letters.ts'
import { expect, onTestFinished, test } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const DEADLY_WORKER = fromHere('deadly-worker.ts')
const CLI = fromHere('../apps/cli/src/main.ts')

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/deadly, claude-big]
`
const SCRIPT = `
rules:
  - {answer: {message: Nothing to complain about., findings: []}}
`

/** Starts a worker again whenever it has died, until something has happened. */
async function killWorkersUntil(fleet: TestFleet, happened: Promise<unknown>): Promise<void> {
  let isOver = false
  void happened.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const environment = environmentWith(fleet.variables)
    const starting = startChild({ name: 'deadly worker', script: DEADLY_WORKER, environment })
    // It may die before it is ready.
    const worker = await starting.catch(() => null)
    if (worker === null) continue
    onTestFinished(() => worker.close())
    await Promise.race([worker.gone, happened])
  }
}

async function dead({ url }: TestFleet, ...words: string[]) {
  const args = [CLI, 'dead', ...words, '--url', url, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}

test('a step that kills every worker is given up with the evidence, and an operator can look at it, make its call again and drop it', {
  timeout: 120_000,
}, async () => {
  const fleet = await startTestFleet({
    script: SCRIPT,
    chains: CHAINS,
    environment: { HYPERGUILD_SANDBOX: 'none', HYPERGUILD_UNSERVED_MS: '60000' },
    pools: ['cloud'],
  })
  const project_root = await fleet.writeProject({ 'cart.js': 'export const a = 1\n' })
  const call = await connectCaller(fleet)
  const answer = call('review', { project_root, files: ['cart.js'] })
  await killWorkersUntil(fleet, answer)
  const { result } = await answer
  expect(result.attempts).toMatchObject([
    { model: 'ollama/deadly', feedback: 'worker_died: 5 workers died on this step' },
    { model: 'claude-big', verdict: 'accept' },
  ])

  const [letter, ...others] = (await dead(fleet, 'list')) as [DeadLetter]
  expect(others).toEqual([])
  const id = `${result.job_id}-0`
  expect(letter).toMatchObject({ id, jobId: result.job_id, step: 0, model: 'ollama/deadly' })
  expect(new Set(letter.starts.map(({ worker }) => worker)).size).toBe(5)
  const shown = await dead(fleet, 'show', id)
  expect(shown).toMatchObject({ ...letter, input: { project_root, files: ['cart.js'] } })

  const { job_id: again } = await dead(fleet, 'retry', id)
  expect(again).not.toBe(result.job_id)
  expect((await fetch(`${fleet.url}/v1/jobs/${again}`)).status).toBe(200)
  expect(await dead(fleet, 'list')).toEqual([])
  await expect(dead(fleet, 'drop', id)).rejects.toThrow(/is not among the steps/)
})

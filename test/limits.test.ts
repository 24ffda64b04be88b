import { expect, test } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const CHAINS = 'verifier: claude-judge\ndefault_chain: [claude-slow, claude-big]\n'
const SCRIPT = 'rules: [{ hang: true }]\n'

async function submit(fleet: TestFleet, input: object) {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ project_root: fleet.folder, wait_seconds: 0, ...input })
  const answer = await fetch(`${fleet.url}/v1/skills/spec`, { method: 'POST', headers, body })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as object }
}

const start = (environment: Record<string, string>, pools: readonly ('local' | 'cloud')[] = []) =>
  startTestFleet({ script: SCRIPT, chains: CHAINS, environment, pools })

test('a full queue refuses new jobs that begin with its model, and lets an equal call join', async () => {
  const fleet = await start({ HYPERGUILD_QUEUE_LIMIT: '1' })
  expect((await submit(fleet, { requirements: 'one' })).status).toBe(202)
  const refused = await submit(fleet, { requirements: 'two' })
  expect(refused).toMatchObject({
    status: 429,
    body: { detail: expect.stringMatching(/^1 steps wait for claude-slow already.*limit is 1;/) },
  })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await submit(fleet, { requirements: 'one' })).status).toBe(202)
  expect((await submit(fleet, { requirements: 'two', model: 'claude-big' })).status).toBe(202)
})

test('a job that holds too much is refused with what the limit is', async () => {
  const fleet = await start({ HYPERGUILD_JOB_KB: '16' })
  const refused = await submit(fleet, { requirements: 'x'.repeat(20_000) })
  expect(refused).toMatchObject({
    status: 400,
    body: {
      detail: expect.stringMatching(/the job holds \d+ kB .*16 kB is the limit.*HYPERGUILD_JOB_KB/),
    },
  })
})

test('a job whose time is over is ended by the worker at it, and says what it was at', async () => {
  const fleet = await start({ HYPERGUILD_JOB_SECONDS: '1' }, ['cloud'])
  const call = await connectCaller(fleet)
  const { result } = await call('spec', { project_root: fleet.folder, requirements: 'anything' })
  expect(result).toMatchObject({
    status: 'error',
    message: expect.stringContaining('passed its deadline'),
    attempts: [
      { model: 'claude-slow', verdict: 'error', feedback: expect.stringMatching(/^timeout_total/) },
    ],
  })
})

import { fileURLToPath } from 'node:url'
import { environmentWith } from '@hyperguild/io/config/environment.ts'
import { startChild } from '@hyperguild/io/process/child-service.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const WORKER = fileURLToPath(new URL('../apps/worker/src/main.ts', import.meta.url))

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small]
`
const HANGS_ONCE = `
rules:
  - {model: small, times: 1, hang: true}
  - {answer: {message: Nothing to complain about., findings: []}}
`

async function startWorker({ variables }: TestFleet, more: Record<string, string> = {}) {
  const worker = await startChild({
    name: 'worker',
    script: WORKER,
    args: ['--tier', 'local'],
    environment: environmentWith({ ...variables, ...more }),
  })
  onTestFinished(() => worker.close())
  return worker
}

async function startReview(drainMs: string) {
  const environment = { HYPERGUILD_SANDBOX: 'none', HYPERGUILD_DRAIN_MS: drainMs }
  const fleet = await startTestFleet({
    script: HANGS_ONCE,
    chains: CHAINS,
    environment,
    pools: [],
  })
  const worker = await startWorker(fleet)
  const project_root = await fleet.writeProject({ 'cart.js': 'export const a = 1\n' })
  const call = await connectCaller(fleet)
  const answer = call('review', { project_root, files: ['cart.js'], model: 'ollama/small' })
  await fleet.models.waitForCall(({ model }) => model === 'ollama/small')
  return { fleet, worker, answer }
}

test('a worker told to stop hands its step to another at once: no attempt is lost, no start is counted', async () => {
  const { fleet, worker, answer } = await startReview('0')
  await startWorker(fleet)
  process.kill(worker.pid, 'SIGTERM')
  const { result } = await answer
  expect(await worker.gone).toBe('worker ended with exit code 0')
  expect(result.status).toBe('pass')
  expect(result.attempts).toMatchObject([{ attempt: 1, model: 'ollama/small', verdict: 'accept' }])
  expect(fleet.models.calls()).toHaveLength(2)

  const redis = connectRedis(inject('redisUrl'), 'drain-test', 'wait')
  onTestFinished(() => redis.disconnect())
  const job = keysFor(fleet.redisPrefix).job(result.job_id)
  expect(await redis.hget(job, 'starts:0')).toBe('1')
})

test('a worker told to stop twice is gone at once, and what it was at is done elsewhere', {
  timeout: 60_000,
}, async () => {
  const { fleet, worker, answer } = await startReview('3600000')
  process.kill(worker.pid, 'SIGTERM')
  const redis = connectRedis(inject('redisUrl'), 'drain-test', 'wait')
  onTestFinished(() => redis.disconnect())
  // It signs off as soon as it has heard the first signal.
  const { workers } = keysFor(fleet.redisPrefix)
  await vi.waitFor(async () => expect(await redis.hlen(workers)).toBe(0))
  process.kill(worker.pid, 'SIGTERM')
  expect(await worker.gone).toBe('worker ended with exit code 1')
  await startWorker(fleet)
  expect((await answer).result).toMatchObject({ status: 'pass', attempts: [{ attempt: 1 }] })
})

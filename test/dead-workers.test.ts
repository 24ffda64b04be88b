import { advance, type StepRef } from '@hyperguild/core/advance.ts'
import { candidate } from '@hyperguild/core/job.fixture.ts'
import { createJobStore } from '@hyperguild/io/queue/job-store.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { leftoversOf } from './leftovers.ts'
import { startTestFleet } from './test-fleet.ts'

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small, claude-big]
`
const SCRIPT = `
rules:
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: review
    answer: {message: Nothing to complain about., findings: []}
`

/** A fleet without workers, a call that waits for one, and the job's record as a worker would reach it. */
async function submitToNobody() {
  const environment = { HYPERGUILD_SANDBOX: 'none' }
  const fleet = await startTestFleet({ script: SCRIPT, chains: CHAINS, environment, pools: [] })
  const project_root = await fleet.writeProject({ 'cart.js': 'export const a = 1\n' })
  const call = await connectCaller(fleet)
  const answer = call('review', { project_root, files: ['cart.js'] })
  const redis = connectRedis(inject('redisUrl'), 'dead-workers', 'wait')
  onTestFinished(() => redis.disconnect())
  const store = createJobStore(redis, keysFor(fleet.redisPrefix), {
    retentionMs: 3_600_000,
    keptJobs: 100,
  })
  const jobId = await vi.waitFor(async () => {
    const [id] = await store.dueJobs(Number.MAX_SAFE_INTEGER, 1)
    expect(id).toBeDefined()
    return id!
  })
  const { job } = (await store.read(jobId))!
  const model = 'ollama/small'
  const step: StepRef = { jobId, step: 0, kind: 'generate', model, attempt: 1, of: 2 }
  const work = async () => {
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    return (await answer).result
  }
  return { fleet, store, job, step, work }
}

test('what a worker recorded before it died is not done again; the next step is', async () => {
  const { fleet, store, job, step, work } = await submitToNobody()
  const nowMs = Date.now()
  const made = candidate('ollama/small', {
    output: { message: 'Found before the end.', findings: [] },
    startedAtMs: nowMs,
    finishedAtMs: nowMs,
  })
  const at = { step, job, fence: 'unleased', lookAtMs: nowMs + 3_600_000 } as const
  expect(await store.commit(at, made, advance(job, [], made, nowMs))).toBe('ok')

  expect(await work()).toMatchObject({
    status: 'pass',
    message: 'Found before the end.',
    attempts: [{ model: 'ollama/small', verdict: 'accept' }],
  })
  expect(fleet.models.calls().map(({ model }) => model)).toEqual(['claude-judge'])
  await vi.waitFor(async () => expect(await leftoversOf(fleet)).toEqual([]))
})

test('a step that takes one worker after another down with it is given up, and the next model works', async () => {
  const { fleet, store, step, work } = await submitToNobody()
  const event = { kind: 'generating', model: step.model, attempt: 1, of: 2 } as const
  for (let died = 0; died < 5; died++) {
    await store.begin(step, { ...event, tier: 'local', warmStart: false }, `worker-${died}`)
  }
  expect((await work()).attempts).toMatchObject([
    {
      model: 'ollama/small',
      verdict: 'error',
      feedback: 'worker_died: 5 workers died on this step',
    },
    { model: 'claude-big', verdict: 'accept' },
  ])
  expect(fleet.models.calls().map(({ model }) => model)).toEqual(['claude-big'])
})

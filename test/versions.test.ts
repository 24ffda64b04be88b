import { readFileSync } from 'node:fs'
import { JOB_VERSION } from '@hyperguild/core/job.ts'
import { type Keys, keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import type { Redis } from 'ioredis'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { leftoversOf } from './leftovers.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const CHAINS = 'verifier: claude-judge\ndefault_chain: [ollama/small, ollama/large, claude-big]\n'
const SCRIPT = `
rules:
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
  - { skill: review, answer: { message: Anew., findings: [] } }
`
const PATIENCE = { timeout: 20_000, interval: 100 }
vi.setConfig({ testTimeout: 60_000 })

/** A job's record as Redis held it, field by field and step by step. */
interface Golden {
  job: Record<string, string>
  steps: string[]
}

async function startFleet(pools: readonly ('local' | 'cloud')[]) {
  const environment = { HYPERGUILD_SANDBOX: 'none' }
  const fleet = await startTestFleet({ script: SCRIPT, chains: CHAINS, pools, environment })
  const redis = connectRedis(inject('redisUrl'), 'versions-test', 'wait')
  onTestFinished(() => redis.disconnect())
  return { fleet, redis, keys: keysFor(fleet.redisPrefix) }
}

async function jobOf(fleet: TestFleet, jobId: string) {
  const answer = await fetch(`${fleet.url}/v1/jobs/${jobId}`)
  return { status: answer.status, body: (await answer.json()) as object }
}

/** Recorded by version 1, except that its times are of today. */
function goldenOfToday(nowMs: number): Golden {
  const recordedAtMs = 1_790_000_000_000
  const text = readFileSync(new URL('golden/job-v1.json', import.meta.url), 'utf8')
  return JSON.parse(
    text.replaceAll(/\b179000\d{7}\b/g, (ms) => String(nowMs + Number(ms) - recordedAtMs)),
  ) as Golden
}

async function putIntoRedis(redis: Redis, keys: Keys, { job, steps }: Golden): Promise<string> {
  const { id } = JSON.parse(job.job!) as { id: string }
  await redis.hset(keys.job(id), job)
  await redis.rpush(keys.steps(id), ...steps)
  await redis.zadd(keys.open, 0, id)
  return id
}

test('a job that version 1 began is carried on by the workers of today', async () => {
  const { fleet, redis, keys } = await startFleet(['local', 'cloud'])
  const jobId = await putIntoRedis(redis, keys, goldenOfToday(Date.now() - 20_000))
  await vi.waitFor(
    async () =>
      expect(await jobOf(fleet, jobId)).toMatchObject({
        status: 200,
        body: {
          status: 'pass',
          message: 'Nothing to complain about.',
          attempts: [
            { model: 'ollama/small', verdict: 'error', feedback: 'network: the connection broke' },
            { model: 'ollama/large', verdict: 'accept', feedback: 'Fine.' },
          ],
        },
      }),
    PATIENCE,
  )
  const calls = fleet.models.calls()
  expect(calls.map(({ model }) => model)).toEqual(['claude-judge'])
  expect(calls[0]!.promptText).toContain('Review cart.js of the shop.')
  await vi.waitFor(async () => expect(await leftoversOf(fleet)).toEqual([]), PATIENCE)
})

test('a job of a later version is left as it is until somebody comes who understands it', async () => {
  const { fleet, redis, keys } = await startFleet([])
  const project_root = await fleet.writeProject({ 'cart.js': '' })
  const submitted = await fetch(`${fleet.url}/v1/skills/review`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ project_root, files: ['cart.js'], wait_seconds: 0 }),
  })
  const { job_id: jobId } = (await submitted.json()) as { job_id: string }
  const ours = (await redis.hget(keys.job(jobId), 'job'))!
  const later = ours.replace(/^{"version":\d+/, `{"version":${JOB_VERSION + 1}`)
  expect(later).not.toBe(ours)
  await redis.hset(keys.job(jobId), 'job', later)
  const before = await redis.hgetall(keys.job(jobId))

  await fleet.startPool('local')
  await fleet.startPool('cloud')
  const delayed = `${keys.prefix}:local.small:delayed`
  await vi.waitFor(async () => expect(await redis.zcard(delayed)).toBe(1), PATIENCE)
  await redis.zadd(keys.open, 0, jobId)
  await vi.waitFor(
    async () => expect(Number(await redis.zscore(keys.open, jobId))).toBeGreaterThan(0),
    PATIENCE,
  )
  expect(await redis.hgetall(keys.job(jobId))).toEqual(before)
  expect(await jobOf(fleet, jobId)).toMatchObject({
    status: 429,
    body: { detail: expect.stringContaining('submitted by a later version of hyperguild') },
  })
  expect(fleet.models.calls()).toEqual([])

  await redis.hset(keys.job(jobId), 'job', ours)
  await vi.waitFor(
    async () => expect(await jobOf(fleet, jobId)).toMatchObject({ body: { status: 'pass' } }),
    PATIENCE,
  )
})

import { queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { CallLimits } from '@hyperguild/core/call-limits.ts'
import { Redis } from 'ioredis'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { keysFor } from './keys.ts'
import { createRateLimits } from './rate-limits.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'

const limit = (scope: string, changes: Partial<CallLimits>): CallLimits => ({
  scope,
  parallelCalls: null,
  requestsPerMinute: null,
  tokensPerMinute: null,
  ...changes,
})

/** Two workers on one Redis with one clock, which the test moves. */
function startLimits(limitsOf: (model: string) => CallLimits[]) {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => redis.disconnect())
  const keys = keysFor(`test-${crypto.randomUUID()}`)
  const clock = { nowMs: 1_000_000 }
  const make = () => createRateLimits(redis, keys, { limitsOf, now: () => clock.nowMs })
  let steps = 0
  /** A step that some worker holds. */
  const leased = async (model: string): Promise<StepRef> => {
    steps += 1
    const step = { jobId: `job-${steps}`, step: 0, kind: 'generate', model, attempt: 1, of: 1 }
    await redis.set(leaseOf(step as StepRef), 'token')
    return step as StepRef
  }
  const leaseOf = (step: StepRef) => keys.lock(queueOfStep(step), stepIdOf(step))
  const loseLease = (step: StepRef) => redis.del(leaseOf(step))
  return { one: make(), another: make(), clock, leased, loseLease }
}

test('without a limit everybody is let in', async () => {
  const { one, leased } = startLimits(() => [])
  expect(await one.admit(await leased(SMALL))).toBe(0)
})

describe('requests per minute', () => {
  const perMinute = (count: number) => (model: string) => [
    limit(`model:${model}`, { requestsPerMinute: count }),
  ]

  test('are counted over all workers, and come back evenly', async () => {
    const { one, another, clock, leased } = startLimits(perMinute(2))
    expect(await one.admit(await leased(SMALL))).toBe(0)
    expect(await another.admit(await leased(SMALL))).toBe(0)
    expect(await one.admit(await leased(SMALL))).toBe(30_000)
    clock.nowMs += 10_000
    expect(await another.admit(await leased(SMALL))).toBe(20_000)
    clock.nowMs += 20_000
    expect(await another.admit(await leased(SMALL))).toBe(0)
    expect(await one.admit(await leased(SMALL))).toBe(30_000)
  })

  test('an idle minute saves up no more than a minute allows', async () => {
    const { one, clock, leased } = startLimits(perMinute(1))
    await one.admit(await leased(SMALL))
    clock.nowMs += 3_600_000
    expect(await one.admit(await leased(SMALL))).toBe(0)
    expect(await one.admit(await leased(SMALL))).toBe(60_000)
  })

  test('of one model are not those of another', async () => {
    const { one, leased } = startLimits(perMinute(1))
    await one.admit(await leased(SMALL))
    expect(await one.admit(await leased(LARGE))).toBe(0)
  })

  test('the further calls of a step are booked, and those after it wait for them', async () => {
    const { one, another, leased } = startLimits(perMinute(2))
    await one.admit(await leased(SMALL))
    await one.charge(SMALL, { requests: 3, tokens: 0 })
    expect(await another.admit(await leased(SMALL))).toBe(90_000)
  })
})

test('tokens per minute that were overdrawn must come back before the next step', async () => {
  const { one, another, clock, leased } = startLimits((model) => [
    limit(`model:${model}`, { tokensPerMinute: 6000 }),
  ])
  expect(await one.admit(await leased(SMALL))).toBe(0)
  await one.charge(SMALL, { requests: 0, tokens: 5000 })
  expect(await another.admit(await leased(SMALL))).toBe(0)
  await another.charge(SMALL, { requests: 0, tokens: 5000 })
  expect(await one.admit(await leased(SMALL))).toBe(40_010)
  clock.nowMs += 40_010
  expect(await one.admit(await leased(SMALL))).toBe(0)
})

describe('parallel calls of a backend', () => {
  const oneAtATime = (model: string) => [
    limit(`model:${model}`, { requestsPerMinute: 60 }),
    limit('backend:gpu-box', { parallelCalls: 1 }),
  ]

  test('are shared by its models, and a place is free again when its step is done', async () => {
    const { one, another, leased } = startLimits(oneAtATime)
    const first = await leased(SMALL)
    expect(await one.admit(first)).toBe(0)
    const second = await leased(LARGE)
    expect(await another.admit(second)).toBeGreaterThan(0)
    await one.release(first)
    expect(await another.admit(second)).toBe(0)
  })

  test('a worker that died holds no place', async () => {
    const { one, another, leased, loseLease } = startLimits(oneAtATime)
    const first = await leased(SMALL)
    await one.admit(first)
    await loseLease(first)
    expect(await another.admit(await leased(LARGE))).toBe(0)
  })

  test('a step that runs again after its worker died finds its own place', async () => {
    const { one, another, leased } = startLimits(oneAtATime)
    const step = await leased(SMALL)
    await one.admit(step)
    expect(await another.admit(step)).toBe(0)
  })

  test('who is refused a place pays no request', async () => {
    const { one, clock, leased } = startLimits((model) => [
      limit(`model:${model}`, { requestsPerMinute: 2 }),
      limit('backend:gpu-box', { parallelCalls: 1 }),
    ])
    const first = await leased(SMALL)
    await one.admit(first)
    for (let i = 0; i < 5; i += 1) await one.admit(await leased(SMALL))
    await one.release(first)
    clock.nowMs += 1
    expect(await one.admit(await leased(SMALL))).toBe(0)
  })
})

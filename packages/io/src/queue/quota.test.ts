import { queueOf } from '@hyperguild/core/model.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { openTestQueue, stepOf, type TestQueue } from './queue.fixture.ts'
import { admitCall, type QuotaLimits } from './quota.ts'

const LIMITS: QuotaLimits = { callsPerMinute: 100, openJobs: 100, queueLimit: 3 }
const [SMALL, LARGE] = ['ollama/small', 'ollama/large']
const open = () => openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })

function admit(at: TestQueue, wanted: { model?: string; principal?: string }, limits = LIMITS) {
  const { redis, keys } = at
  return admitCall(
    { redis, keys, now: () => at.clock.ms },
    { principal: 'ann', model: SMALL!, ...wanted },
    limits,
  )
}

test('a model for which many steps wait is given no more jobs, whoever asks; other models are', async () => {
  const at = open()
  for (let count = 0; count < 3; count += 1) {
    await admit(at, {})
    const job = await at.submit()
    await at.queue.add(stepOf(job, count === 2 ? { notBeforeMs: Date.now() + 60_000 } : {}))
  }
  await expect(admit(at, { principal: 'bob' })).rejects.toMatchObject({
    code: 'busy',
    retryAfterMs: 5000,
    message:
      '3 steps wait for ollama/small already, and the limit is 3; try again later, or name another model',
  })
  await admit(at, { model: LARGE! })
  await at.queue.queueFor(SMALL!).drain()
  expect(await at.redis.llen(`${at.keys.prefix}:${queueOf(SMALL!)}:wait`)).toBe(0)
  await admit(at, {})
})

test('who has started many jobs in a minute is told when the next one begins', async () => {
  const at = open()
  at.clock.ms = 90_000
  const limits = { ...LIMITS, callsPerMinute: 2 }
  await admit(at, {}, limits)
  await admit(at, {}, limits)
  await expect(admit(at, {}, limits)).rejects.toMatchObject({ code: 'busy', retryAfterMs: 30_000 })
  await admit(at, { principal: 'bob' }, limits)
  at.clock.ms = 120_000
  await admit(at, {}, limits)
})

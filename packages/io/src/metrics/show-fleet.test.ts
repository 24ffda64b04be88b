import { expect, inject, onTestFinished, test as plainTest } from 'vitest'
import { openTestQueue, stepOf } from '../queue/queue.fixture.ts'
import { createMetrics } from './metrics.ts'
import { showFleet } from './show-fleet.ts'

const MODELS = ['ollama/small', 'claude-sonnet-4-6']

const test = plainTest.extend('fleet', () => {
  const fixture = openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })
  const metrics = createMetrics({ component: 'gateway', version: '1.2.3' })
  const { redis, keys } = fixture
  const now = () => Date.now() + 60_000
  showFleet(metrics, { redis, keys, models: MODELS, now })
  const numbers = async () => {
    const { text } = await metrics.render()
    const found = text.matchAll(/^hyperguild_(\S+?)(?:\{(\S*)\})? (\S+)$/gm)
    return Object.fromEntries(
      [...found].map(([, name, labels = '', value]) => [`${name} ${labels}`, Number(value)]),
    )
  }
  return { ...fixture, numbers }
})

test('the queues of every model and of both pools are shown, empty ones too', async ({ fleet }) => {
  const shown = Object.entries(await fleet.numbers()).filter(([name]) => name.startsWith('queue_'))
  const depths = shown.filter(([name]) => name.includes('state="wait"'))
  expect(depths).toEqual([
    ['queue_steps queue="local.small",state="wait"', 0],
    ['queue_steps queue="cloud.claude-sonnet-4-6",state="wait"', 0],
    ['queue_steps queue="local-apply",state="wait"', 0],
    ['queue_steps queue="cloud-apply",state="wait"', 0],
  ])
  expect(shown.filter(([, value]) => value !== 0)).toEqual([])
})

test('what waits is counted, with the age of what is next', async ({ fleet }) => {
  const job = await fleet.submit()
  await fleet.queue.add(stepOf(job))
  await fleet.queue.add(stepOf(job, { step: 1 }))
  await fleet.queue.add(stepOf(job, { step: 2, notBeforeMs: Date.now() + 3_600_000 }))
  const shown = await fleet.numbers()
  expect(shown).toMatchObject({
    'queue_steps queue="local.small",state="wait"': 2,
    'queue_steps queue="local.small",state="delayed"': 1,
    'queue_steps queue="local.small",state="active"': 0,
    'open_jobs ': 1,
    'redis_up ': 1,
  })
  const age = shown['queue_oldest_age_seconds queue="local.small"']
  expect(age).toBeGreaterThanOrEqual(60)
  expect(age).toBeLessThan(120)
})

test('a step under way is active, and a queue that is paused or over a limit is held', async ({
  fleet,
}) => {
  const job = await fleet.submit()
  await fleet.queue.add(stepOf(job))
  const begun = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<null>()
  const consumer = fleet.queue.serve('ollama/small', {
    connection: fleet.connect(),
    leases: fleet.keepLeases(),
    concurrency: 1,
    workerId: 'worker-1',
    onStep: async () => {
      begun.resolve()
      return finish.promise
    },
    onError: begun.reject,
  })
  await begun.promise
  const held = 'queue_held queue="local.small"'
  expect(await fleet.numbers()).toMatchObject({
    'queue_steps queue="local.small",state="active"': 1,
    'queue_steps queue="local.small",state="wait"': 0,
    [held]: 0,
  })
  finish.resolve(null)
  await consumer.close(1000)

  await fleet.queue.pause('ollama/small')
  expect(await fleet.numbers()).toMatchObject({ [held]: 1 })
  await fleet.queue.resume('ollama/small')
  expect(await fleet.numbers()).toMatchObject({ [held]: 0 })
  await fleet.queue.queueFor('ollama/small').rateLimit(60_000)
  expect(await fleet.numbers()).toMatchObject({ [held]: 1 })
})

test('open breakers are shown by model', async ({ fleet }) => {
  const breaker = { reason: 'network', message: 'no', openedAtMs: 0, untilMs: 1, trips: 1 } as const
  await fleet.records.breakers.set('ollama/small', { ...breaker, state: 'open' })
  await fleet.records.breakers.set('claude-sonnet-4-6', { ...breaker, state: 'half_open' })
  expect(await fleet.numbers()).toMatchObject({
    'breaker_open model="ollama/small"': 1,
    'breaker_open model="claude-sonnet-4-6"': 0,
  })
})

test('without Redis there are no old numbers, only the news that it is away', async ({ fleet }) => {
  expect(await fleet.numbers()).toHaveProperty(['open_jobs '])
  fleet.redis.disconnect()
  const shown = await fleet.numbers()
  expect(shown['redis_up ']).toBe(0)
  expect(Object.keys(shown).filter((name) => name.startsWith('queue_'))).toEqual([])
})

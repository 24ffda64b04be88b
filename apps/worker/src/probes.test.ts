import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { createMetrics } from '@hyperguild/io/metrics/metrics.ts'
import { openTestQueue, stepOf } from '@hyperguild/io/queue/queue.fixture.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { type ProbesOptions, startProbes } from './probes.ts'
import { createProgress } from './progress.ts'

const QUEUE = 'local.small'

async function takePort() {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, free: () => server.close() }
}

async function start(changes: Partial<ProbesOptions> & { port: number }) {
  const fixture = openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })
  await fixture.redis.ping()
  const { port, ...more } = changes
  const progress = createProgress(Date.now)
  const probes = await startProbes({
    environment: { probeHost: '127.0.0.1', probePort: port, stalledSeconds: 1 },
    tier: 'local',
    redis: fixture.redis,
    keys: fixture.keys,
    progress,
    places: new Map([[QUEUE, 1]]),
    metrics: createMetrics({ component: 'worker', version: '1.2.3' }),
    log: createLogger('test', 'silent'),
    ...more,
  })
  onTestFinished(probes.close)
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  const statusOf = async (path: string) => (await ask(path)).status
  return { ...fixture, progress, ask, statusOf }
}

async function freePort(): Promise<number> {
  const { port, free } = await takePort()
  free()
  return port
}

test('a worker that takes no work, though work waits and it has room, is not alive', async () => {
  const worker = await start({ port: await freePort() })
  expect(await worker.statusOf('/livez')).toBe(200)
  const job = await worker.submit()
  await worker.queue.add(stepOf(job))
  while ((await worker.statusOf('/livez')) === 200) await worker.redis.ping()
  expect(await (await worker.ask('/livez')).json()).toMatchObject({ status: 'stalled' })

  await worker.progress.track(QUEUE, async () => {})
  expect(await worker.statusOf('/livez')).toBe(200)
})

test('a worker is ready while Redis answers', async () => {
  const worker = await start({ port: await freePort() })
  expect(await worker.statusOf('/readyz')).toBe(200)
  worker.redis.disconnect()
  expect(await worker.statusOf('/readyz')).toBe(503)
  expect(await worker.statusOf('/livez')).toBe(200)
})

test('a worker tells when it last got on', async () => {
  const worker = await start({ port: await freePort() })
  const numbers = async (name: string) => {
    const text = await (await worker.ask('/metrics')).text()
    return Number(new RegExp(`^${name}\\{tier="local"\\} (\\S+)$`, 'm').exec(text)?.[1])
  }
  const before = await numbers('hyperguild_worker_last_progress_timestamp_seconds')
  expect(before).toBeGreaterThan(1_700_000_000)
  await worker.progress.track(QUEUE, async () => {
    expect(await numbers('hyperguild_worker_steps_underway')).toBe(1)
  })
  expect(await numbers('hyperguild_worker_steps_underway')).toBe(0)
  const after = await numbers('hyperguild_worker_last_progress_timestamp_seconds')
  expect(after).toBeGreaterThan(before)
})

test('a port that is taken costs a worker its probes, not its work', async () => {
  const { port } = await takePort()
  await expect(start({ port })).resolves.toBeDefined()
})

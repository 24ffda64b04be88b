import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedRedis } from '@hyperguild/io/queue/embedded-redis.ts'
import { expect, onTestFinished, test } from 'vitest'
import { startTestFleet } from './test-fleet.ts'

const CHAINS = 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n'
const COMMON = { script: 'rules: [{text: unused}]', chains: CHAINS, pools: [] } as const

test('a gateway lives, and is ready as long as its Redis answers', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'hyperguild-test-redis-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const redis = await startEmbeddedRedis({ dataDir })
  onTestFinished(() => redis.close())
  const { url } = await startTestFleet({ ...COMMON, redisUrl: redis.url })
  const ask = async (path: string) => {
    const response = await fetch(url + path)
    return [response.status, await response.json()]
  }
  expect(await ask('/livez')).toEqual([200, { status: 'ok' }])
  expect(await ask('/readyz')).toMatchObject([200, { status: 'ok', redis: true }])

  await redis.close()
  expect(await ask('/livez')).toEqual([200, { status: 'ok' }])
  expect(await ask('/readyz')).toMatchObject([503, { status: 'not ready', redis: false }])
})

test('the board is a page whose parts load and which shows the queue of every model', async () => {
  const { url } = await startTestFleet(COMMON)
  const page = await fetch(`${url}/board`)
  expect(page.status).toBe(200)
  const html = await page.text()
  const base = /<base href="([^"]+)"/.exec(html)![1]!
  const parts = [...html.matchAll(/(?:src|href)="(static\/[^"]+\.(?:js|css))"/g)].map(
    ([, path]) => new URL(path!, new URL(base, url)),
  )
  expect(parts.map(({ pathname }) => pathname.split('.').at(-1))).toEqual(
    expect.arrayContaining(['js', 'css']),
  )
  for (const part of parts) {
    const response = await fetch(part)
    expect([part.pathname, response.status]).toEqual([part.pathname, 200])
    expect(response.headers.get('content-type')).toMatch(/javascript|css/)
    expect((await response.text()).length).toBeGreaterThan(1000)
  }
  const board = (await (await fetch(`${url}/board/api/queues`)).json()) as {
    queues: { name: string; readOnlyMode: boolean }[]
  }
  expect(board.queues.map(({ name, readOnlyMode }) => [name, readOnlyMode])).toEqual([
    ['local.small', true],
    ['cloud.claude-big', true],
    ['cloud.claude-judge', true],
  ])
})

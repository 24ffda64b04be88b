import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '@hyperguild/core/principal.ts'
import { createToken } from '@hyperguild/io/auth/token-file.ts'
import { startEmbeddedRedis } from '@hyperguild/io/queue/embedded-redis.ts'
import { expect, onTestFinished, test } from 'vitest'
import { connectCaller } from './call-skill.ts'
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

test('a gateway that cannot write the session log stays ready, and says what is wrong', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-test-sessions-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'no-folder'), '')
  const fleet = await startTestFleet({
    ...COMMON,
    environment: {
      SUPERVISOR_SESSIONS_DIR: join(folder, 'no-folder', 'sessions'),
      HYPERGUILD_UNSERVED_MS: '20',
    },
  })
  const call = await connectCaller(fleet)
  await call('debug', { project_root: await fleet.writeProject({ 'a.js': '' }), error: 'E1' })
  const recorder = { waiting: 1, problem: 'ENOTDIR' }
  const failing = { status: 'ok', redis: true, trouble: null, recorder }
  let answer: Response
  let health: unknown
  do {
    answer = await fetch(`${fleet.url}/readyz`)
    health = await answer.json()
  } while (JSON.stringify(health) !== JSON.stringify(failing))
  expect(answer.status).toBe(200)
  const metrics = await (await fetch(`${fleet.url}/metrics`)).text()
  expect(metrics).toContain('\nhyperguild_recorder_lag_entries 1\n')
  expect(metrics).toContain('\nhyperguild_recorder_failing 1\n')
})

/** A proxy that puts a gateway under a prefix, as an ingress that rewrites paths does. */
async function startProxy(prefix: string, gatewayUrl: () => string): Promise<string> {
  const proxy = createServer((asked, response) => {
    const path = asked.url!
    if (!path.startsWith(prefix)) return response.writeHead(404).end()
    const answer = fetch(gatewayUrl() + path.slice(prefix.length), { redirect: 'manual' })
    return void answer.then(async (got) => {
      const headers = { location: got.headers.get('location') ?? '' }
      response.writeHead(got.status, {
        'content-type': got.headers.get('content-type') ?? '',
        ...(headers.location ? headers : {}),
      })
      response.end(Buffer.from(await got.arrayBuffer()))
    })
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}`
}

test('the board is a page whose parts load and which shows the queue of every model', async () => {
  const { url } = await startTestFleet(COMMON)
  await expectBoardAt(url)
})

test('behind a proxy that puts the gateway under a path the board loads all the same', async () => {
  let gatewayUrl = ''
  const url = await startProxy('/guild', () => gatewayUrl)
  const fleet = await startTestFleet({
    ...COMMON,
    environment: { HYPERGUILD_PUBLIC_URL: url },
  })
  gatewayUrl = fleet.url
  await expectBoardAt(url)
  const slashed = await fetch(`${url}/board/`, { redirect: 'manual' })
  expect(new URL(slashed.headers.get('location')!, url).href).toBe(`${url}/board`)
})

async function makeTokens() {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-test-tokens-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'tokens.yaml')
  const create = (name: string, scopes: readonly Scope[]) =>
    createToken(file, { name, scopes }, Date.now())
  return { file, user: create('ann', ['call']), operator: create('ops', ['operate']) }
}

test('in a cluster health and metrics are asked for by address, everything else by name', async () => {
  const { file, operator } = await makeTokens()
  const { url } = await startTestFleet({
    ...COMMON,
    environment: {
      HYPERGUILD_HOST: '0.0.0.0',
      HYPERGUILD_PUBLIC_URL: 'https://guild.example',
      HYPERGUILD_TOKENS_FILE: file,
    },
  })
  const statusOf = async (path: string, host: string, token?: string) => {
    const headers = { host, ...(token ? { authorization: `Bearer ${token}` } : {}) }
    const sent = request(new URL(path, url.replace('0.0.0.0', '127.0.0.1')), { headers }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }
  expect(await statusOf('/livez', '10.42.0.7:3200')).toBe(200)
  expect(await statusOf('/readyz', '10.42.0.7:3200')).toBe(200)
  expect(await statusOf('/metrics', 'gateway:3200', operator)).toBe(200)
  expect(await statusOf('/metrics', 'gateway:3200')).toBe(401)
  expect(await statusOf('/board', 'guild.example', operator)).toBe(200)
  expect(await statusOf('/board', '10.42.0.7:3200', operator)).toBe(403)
})

test('on loopback a web page of another name gets no metrics', async () => {
  const { url } = await startTestFleet(COMMON)
  const sent = request(new URL('/metrics', url), { headers: { host: 'evil.example' } }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  expect(answer.statusCode).toBe(403)
})

test('only who may operate sees metrics and board', async () => {
  const { file, user, operator } = await makeTokens()
  const { url } = await startTestFleet({
    ...COMMON,
    environment: { HYPERGUILD_TOKENS_FILE: file },
  })
  for (const path of ['/metrics', '/board']) {
    const statusFor = async (token?: string) => {
      const headers = token ? { authorization: `Bearer ${token}` } : undefined
      return (await fetch(url + path, headers ? { headers } : {})).status
    }
    expect([await statusFor(), await statusFor(user), await statusFor(operator)]).toEqual([
      401, 403, 200,
    ])
  }
})

async function expectBoardAt(url: string): Promise<void> {
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
}

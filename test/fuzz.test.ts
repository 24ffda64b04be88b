import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { startTestFleet } from './test-fleet.ts'

const SCRIPT = `
rules:
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
`
const REQUESTS = 2_000
const AT_ONCE = 20
const SEED = 20_261_122
/** Less than a request and its answer take, more than what is compiled late comes to. */
const KEPT_BYTES_PER_REQUEST = 3_000

/** A small generator with a seed, so that a failing request can be made again (mulberry32). */
function randomFrom(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    below: (limit: number) => Math.floor(next() * limit),
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!,
    chance: (share: number) => next() < share,
  }
}
type Random = ReturnType<typeof randomFrom>

const PATHS = [
  '/mcp',
  '/mcp/readonly',
  '/mcp/x/tdd',
  '/v1/skills/spec',
  '/v1/skills/tier',
  '/v1/jobs',
  '/v1/jobs/x',
  '/v1/jobs/x/events',
  '/v1/sessions/x',
  '/board',
  '/openapi.json',
  '/livez',
  '/%00',
  '/..%2f..',
  '/v1/skills/%ff',
  '//',
  '/mcp?x=%',
]
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'BREW']
const WORDS = [
  '',
  'spec',
  'tools/call',
  'tools/list',
  'initialize',
  '\u0000',
  '../../etc/passwd',
  'é☃\u202e',
  'x'.repeat(5_000),
  '{{7*7}}',
  '__proto__',
]
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'multipart/form-data',
  '',
  'application/x-www-form-urlencoded',
]

function value(random: Random, depth: number): unknown {
  const kind = random.below(depth > 3 ? 5 : 7)
  if (kind === 0) return random.pick(WORDS)
  if (kind === 1) return random.pick([0, -1, 1e308, 0.1, Number.MAX_SAFE_INTEGER])
  if (kind === 2) return random.pick([true, false, null])
  if (kind === 3) return 'x'.repeat(random.below(200))
  if (kind === 4) return random.below(100)
  if (kind === 5) return Array.from({ length: random.below(6) }, () => value(random, depth + 1))
  const names = [
    'jsonrpc',
    'id',
    'method',
    'params',
    'name',
    'arguments',
    '_meta',
    'project_root',
    '__proto__',
  ]
  return Object.fromEntries(
    Array.from({ length: random.below(6) }, () => [random.pick(names), value(random, depth + 1)]),
  )
}

/** A body that is sometimes nearly right, sometimes cut off, sometimes no JSON. */
function body(random: Random): Buffer {
  const call = {
    jsonrpc: random.pick(['2.0', '1.0', 2]),
    id: random.pick([1, 'a', null, {}]),
    method: random.pick(WORDS),
    params: random.chance(0.5)
      ? { name: random.pick(['spec', 'tier', 'job_wait', 'nonsense']), arguments: value(random, 1) }
      : value(random, 1),
  }
  const text = JSON.stringify(random.chance(0.6) ? call : value(random, 0)) ?? ''
  const bytes = Buffer.from(text)
  if (random.chance(0.2)) return bytes.subarray(0, random.below(bytes.length + 1))
  if (random.chance(0.1)) return Buffer.from([0xff, 0xfe, ...bytes.subarray(0, 50)])
  return bytes
}

function requestBytes(random: Random, host: string): Buffer {
  const payload = random.chance(0.8) ? body(random) : Buffer.alloc(0)
  const length = random.chance(0.95) ? payload.length : payload.length + random.below(10)
  const headers = [
    `Host: ${random.chance(0.95) ? host : random.pick(['evil.example', '', 'a b'])}`,
    `Content-Type: ${random.pick(TYPES)}`,
    `Content-Length: ${length}`,
    `Accept: ${random.pick(['*/*', 'application/json, text/event-stream', 'text/html', ''])}`,
    'Connection: close',
  ]
  if (random.chance(0.3))
    headers.push(
      `MCP-Protocol-Version: ${random.pick(['2026-07-28', '2025-11-25', '1', 'x'.repeat(300)])}`,
    )
  if (random.chance(0.2)) headers.push(`Mcp-Method: ${random.pick(['tools/call', 'x'])}`)
  if (random.chance(0.2))
    headers.push(`Authorization: ${random.pick(['Bearer x', 'Basic eA==', 'Bearer', 'x'])}`)
  if (random.chance(0.1)) headers.push(`X-Large: ${'y'.repeat(20_000)}`)
  if (random.chance(0.05)) headers.push('Broken header line')
  const head = `${random.pick(METHODS)} ${random.pick(PATHS)} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), payload])
}

/** The status of the answer, or 0 when the connection was closed without one. */
function statusOf(port: number, request: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    const done = () => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0))
    }
    // An event stream or a body that never comes: what counts is the status line, which came or does not come.
    socket.setTimeout(300, done)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (answer.includes('\r\n')) done()
    })
    socket.on('close', done).on('error', done)
    socket.write(request, () => {})
  })
}

const collectGarbage = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

/** Bytes in use once all garbage is gone. */
function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Tells how many of the requests from now on something in this process still refers to. */
function watchRequests(): () => number {
  const requests: WeakRef<object>[] = []
  const remember = (message: unknown) =>
    requests.push(new WeakRef((message as { request: object }).request))
  subscribe('http.server.request.start', remember)
  onTestFinished(() => void unsubscribe('http.server.request.start', remember))
  return () => {
    collectGarbage()
    return requests.filter((request) => request.deref()).length
  }
}

test(`${REQUESTS} bad requests are told so: never a failure of the gateway, never a crash, and memory comes back`, async () => {
  const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
  const { port, host } = new URL(fleet.url)
  const random = randomFrom(SEED)
  const countHeld = watchRequests()
  const failures: string[] = []
  const statuses = new Map<number, number>()
  const send = async (count: number) => {
    for (let sent = 0; sent < count; sent += AT_ONCE) {
      const requests = Array.from({ length: AT_ONCE }, () => requestBytes(random, host))
      const answers = await Promise.all(requests.map((request) => statusOf(Number(port), request)))
      answers.forEach((status, index) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500 && status !== 501)
          failures.push(`${status}: ${requests[index]!.subarray(0, 400)}`)
      })
    }
  }
  // The first half pays for what is loaded and compiled once.
  await send(REQUESTS / 2)
  const beforeBytes = heapBytes()
  await send(REQUESTS / 2)
  const growthBytes = heapBytes() - beforeBytes
  expect(failures).toEqual([])
  expect(
    [...statuses.keys()].filter((status) => status >= 400 && status < 500).length,
  ).toBeGreaterThan(3)
  const healthy = await fetch(`${fleet.url}/readyz`)
  expect(healthy.status).toBe(200)
  await expect.poll(countHeld).toBeLessThan(AT_ONCE)
  expect(growthBytes / (REQUESTS / 2)).toBeLessThan(KEPT_BYTES_PER_REQUEST)
}, 60_000)

import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environmentWith } from '@hyperguild/io/config/environment.ts'
import { startChild } from '@hyperguild/io/process/child-service.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { runningWith } from './running-with.ts'
import { connectClient } from './skill-client.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const WORKER = fileURLToPath(new URL('../apps/worker/src/main.ts', import.meta.url))

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/thinking, ollama/testing, ollama/applying]
skills: { tdd: { verify: evidence } }
`
const PROJECT = {
  'package.json': '{"type": "module"}\n',
  'src/add.js': 'export const add = () => 0\n',
  'test/add.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add } from '../src/add.js'
test('adds', () => assert.equal(add(2, 3), 5))
`,
}
const HONEST = 'export const add = (a, b) => a + b\n'
const codes = (content: string) => [
  { tool: 'write_file', input: { path: 'src/add.js', content } },
  { tool: 'run_tests' },
  { answer: { message: 'Done.' } },
]

async function startWorker({ variables }: TestFleet, redisUrl: string) {
  const worker = await startChild({
    name: 'worker',
    script: WORKER,
    args: ['--tier', 'local'],
    environment: environmentWith({ ...variables, REDIS_URL: redisUrl }),
  })
  onTestFinished(() => worker.close())
  return worker
}

/** Passes on to Redis all that a worker says, until it says `text`: that does not arrive any more. */
async function listenBetween(redisUrl: string, text: string) {
  const { hostname, port } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  const { promise: said, resolve } = Promise.withResolvers<void>()
  const server = createServer((worker) => {
    const redis = connect(Number(port), hostname)
    for (const socket of [worker, redis]) sockets.add(socket.on('error', () => {}))
    redis.pipe(worker)
    worker.on('close', () => redis.destroy())
    worker.on('data', (chunk) => {
      if (!chunk.includes(text)) return void redis.write(chunk)
      redis.destroy()
      resolve()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const url = new URL(redisUrl)
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, said }
}

/**
 * One crash for three jobs, since the queue takes its time (a lock of 10 s and a look every 5 s) to give the steps of a
 * dead worker to another one.
 */
test('a worker killed while a model thinks, while tests run, and between applying and recording it: each job ends once', {
  timeout: 120_000,
}, async () => {
  const marker = `${30_000 + Math.random()}`
  const asleep = `import { execSync } from 'node:child_process'\nexecSync('sleep ${marker}')\n${HONEST}`
  const fleet = await startTestFleet({
    chains: CHAINS,
    pools: [],
    script: JSON.stringify({
      rules: [
        { model: 'thinking', times: 1, hang: true },
        { model: 'testing', times: 2, turns: codes(asleep) },
        { turns: codes(HONEST) },
      ],
    }),
  })
  const { call } = await connectClient(fleet.url)
  const names = ['thinking', 'testing', 'applying'] as const
  const roots = await Promise.all(names.map(() => fleet.writeProject(PROJECT)))
  const green = (at: number) =>
    call('tdd_green', {
      project_root: roots[at],
      test_path: 'test/add.test.js',
      test_cmd: 'node --test',
      model: `ollama/${names[at]}`,
      session_id: names[at],
    })
  const between = await listenBetween(inject('redisUrl'), '"applied":true')
  const first = await startWorker(fleet, between.url)
  const thinking = green(0)
  const testing = green(1)
  await fleet.models.waitForCall((c) => c.model === 'ollama/thinking')
  await expect.poll(() => runningWith(marker), { timeout: 20_000 }).not.toEqual([])
  const applying = green(2)
  await between.said
  process.kill(first.pid, 'SIGKILL')
  await first.gone

  const file = join(roots[2]!, 'src/add.js')
  expect(readFileSync(file, 'utf8')).toBe(HONEST)
  const applied = statSync(file)
  await expect.poll(() => runningWith(marker)).toEqual([])
  expect(readdirSync(join(fleet.folder, '.data/jobs'))).toHaveLength(3)

  await startWorker(fleet, inject('redisUrl'))
  const results = await Promise.all([thinking, testing, applying])
  for (const [at, result] of results.entries()) {
    expect(result).toMatchObject({ status: 'pass', verified: true, patch: { applied: true } })
    expect(result.attempts).toHaveLength(1)
    expect(readFileSync(join(roots[at]!, 'src/add.js'), 'utf8')).toBe(HONEST)
    expect(readdirSync(join(roots[at]!, 'src'))).toEqual(['add.js'])
    const log = join(fleet.sessionsDir, `${names[at]}.jsonl`)
    await expect.poll(() => existsSync(log) && readFileSync(log, 'utf8')).toMatch(/^[^\n]+\n$/)
    expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({ job_id: result.job_id })
  }
  expect(statSync(file)).toMatchObject({ ino: applied.ino, mtimeMs: applied.mtimeMs })
  await expect.poll(() => readdirSync(join(fleet.folder, '.data/jobs'))).toEqual([])
})

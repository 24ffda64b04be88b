import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, inject, test, vi } from 'vitest'
import { keysOf } from './leftovers.ts'

const CHECKOUT = resolve(import.meta.dirname, '..')
const CLI = join(CHECKOUT, 'apps/cli/src/main.ts')

/** A service waits ten seconds for its Redis, and many processes start at once here. */
vi.setConfig({ testTimeout: 60_000 })

/** Runs a program of ours to its end, with nothing in its environment but what is given. */
async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, HYPERGUILD_LOG_LEVEL: 'silent', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code: code as number | null, stdout, stderr }
}

const runApp = (app: string, args: readonly string[], environment: Record<string, string> = {}) =>
  run([join(CHECKOUT, `apps/${app}/src/main.ts`), ...args], environment)

type CleanUp = (undo: () => Promise<void> | void) => void

async function makeFolder(onTestFinished: CleanUp, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-start-up-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

/** A port on which this process listens until the test ends, or nobody at all. */
async function takePort(onTestFinished: CleanUp): Promise<{ port: number; free(): void }> {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.close()
  })
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, free: () => server.close() }
}

const APPS: readonly (readonly [app: string, args: readonly string[]])[] = [
  ['gateway', []],
  ['worker', ['--tier', 'local']],
]

describe.concurrent('a service that cannot start ends with exit code 2 and says what to do', () => {
  test.for(APPS)('%s: Redis does not answer', async ([app, args], { expect, onTestFinished }) => {
    const { port, free } = await takePort(onTestFinished)
    free()
    const ended = await runApp(app, args, { REDIS_URL: `redis://:secret@127.0.0.1:${port}` })
    expect(ended).toEqual({
      code: 2,
      stdout: '',
      stderr: `hyperguild: REDIS_URL: no Redis answers at 127.0.0.1:${port} (connect ECONNREFUSED 127.0.0.1:${port}); start one, correct REDIS_URL, or unset it to use the embedded one\n`,
    })
  })

  test.for(APPS)('%s: no Redis is named', async ([app, args], { expect }) => {
    const { code, stderr } = await runApp(app, args)
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^hyperguild: REDIS_URL: a (gateway|worker) needs the Redis of its fleet; set it, or run: npm start\n$/,
    )
  })

  test('gateway: its port is taken', async ({ expect, onTestFinished }) => {
    const { port } = await takePort(onTestFinished)
    const redisPrefix = `test-${crypto.randomUUID()}`
    const ended = await runApp('gateway', [], {
      REDIS_URL: inject('redisUrl'),
      HYPERGUILD_REDIS_PREFIX: redisPrefix,
      SUPERVISOR_PORT: String(port),
      SUPERVISOR_BRAIN_DIR: await makeFolder(onTestFinished, {}),
    })
    expect(ended).toEqual({
      code: 2,
      stdout: '',
      stderr: `hyperguild: SUPERVISOR_PORT: port ${port} on 127.0.0.1 is taken; stop what uses it, or set SUPERVISOR_PORT to another port\n`,
    })
    expect(await keysOf({ redisPrefix })).toEqual([])
  })

  test('worker: a model that its tier does not have', async ({ expect }) => {
    const args = ['--tier', 'cloud', '--models', 'ollama/gemma4']
    const { code, stderr } = await runApp('worker', args, { REDIS_URL: inject('redisUrl') })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^hyperguild: --models: ollama\/gemma4 is not a cloud model of models\.yaml; it names claude-.*\n$/,
    )
  })

  test('worker: no tier is named', async ({ expect }) => {
    const { code, stderr } = await runApp('worker', [], { REDIS_URL: inject('redisUrl') })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/--tier <tier>.* not specified[\s\S]*Usage: hyperguild worker/)
  })

  test('a variable that is nearly one of ours', async ({ expect }) => {
    const { code, stderr } = await runApp('gateway', [], { HYPERGUILD_ROOT: '/srv' })
    expect(code).toBe(2)
    expect(stderr).toBe(
      'hyperguild: HYPERGUILD_ROOT: is not a variable of hyperguild; write HYPERGUILD_ROOTS\n',
    )
  })
})

describe.concurrent('hyperguild check', () => {
  const broken = {
    'config/models.yaml': [
      'verifer: claude-sonnet-4-6',
      'default_chain: []',
      'skills:',
      '  reviw: {chain: [ollama/small]}',
    ].join('\n'),
    'config/skills/review.md': '---\ntitle: Review\nkind: anwser\n---\n# review\n{{fils}}\n',
  }

  test('prints every problem of every file at once', async ({ expect, onTestFinished }) => {
    const folder = await makeFolder(onTestFinished, broken)
    const environment = { SUPERVISOR_CONFIG_DIR: join(folder, 'config') }
    const { code, stdout, stderr } = await run([CLI, 'check'], environment)
    expect([code, stdout]).toEqual([2, ''])
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(`${folder}/config/`, ''))
    expect(lines).toEqual(
      expect.arrayContaining([
        'models.yaml:1: verifer: unknown key; did you mean verifier?',
        expect.stringMatching(/^models\.yaml:1: verifier: is missing/),
        expect.stringMatching(/^models\.yaml:2: default_chain: must name at least one model/),
        expect.stringMatching(/^models\.yaml:4: skills\.reviw: .*did you mean review\?$/),
        expect.stringMatching(
          /^skills\/review\.md:3: kind: must be one of .*did you mean answer\?$/,
        ),
        expect.stringMatching(/^skills\/review\.md:\d: description: is missing/),
        expect.stringMatching(/^skills\/review\.md:\d: input: is missing/),
      ]),
    )

    const json = await run([CLI, 'check', '--json'], environment)
    expect(json.code).toBe(2)
    expect(json.stderr).toBe('')
    expect(JSON.parse(json.stdout)).toEqual({
      ok: false,
      problems: stderr.trimEnd().split('\n'),
    })
  })

  test('is content with the files we ship', async ({ expect }) => {
    expect(await run([CLI, 'check'])).toEqual({
      code: 0,
      stdout: 'The configuration is fine.\n',
      stderr: '',
    })
    const json = await run([CLI, 'check', '--json'])
    expect(JSON.parse(json.stdout)).toEqual({ ok: true, problems: [] })
  })
})

describe.concurrent('under an old Node', () => {
  /** What `process.versions` says to our program: nothing else of an old Node matters to it. */
  const oldNode = `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.0' } })",
  )}`
  const bin = 'apps/cli/bin/hyperguild.js'

  test('the command runs itself with the Node of its own packages', async ({ expect }) => {
    const ended = await run(['--import', oldNode, join(CHECKOUT, bin), 'check'])
    expect(ended).toEqual({ code: 0, stdout: 'The configuration is fine.\n', stderr: '' })
  })

  test('without its packages it says what to do', async ({ expect, onTestFinished }) => {
    const folder = await makeFolder(onTestFinished, {})
    for (const file of [bin, 'apps/cli/package.json']) {
      await cp(join(CHECKOUT, file), join(folder, file))
    }
    expect(await run(['--import', oldNode, join(folder, bin), 'check'])).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'hyperguild: this is Node 20.11.0, and it needs 24 or newer; run "npm ci" in its folder, which brings one\n',
    })
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'

/** A whole fleet starts, and other tests run beside it. */
vi.setConfig({ testTimeout: 60_000 })

const MAIN = join(import.meta.dirname, 'main.ts')

/** Starts the bench with a folder for temporary files of its own. */
async function startBench(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-bench-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { folder, child, ended: ended.then(([out, err, [code]]) => ({ out, err, code })) }
}

/** Processes that were told of a folder in their environment or arguments; none where the system does not tell. */
async function processesAt(folder: string): Promise<string[]> {
  if (!existsSync('/proc/self/environ')) return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const told = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
      return `${await read('environ')} ${await read('cmdline')}`.includes(folder)
    }),
  )
  return pids.filter((_, index) => told[index])
}

test('a run prints each figure with its verdict, and leaves nothing behind', async () => {
  const bench = await startBench('--quick', '--json', 'memory', 'latency', 'gateway')
  const { out, err, code } = await bench.ended
  expect({ err, code }).toEqual({ err: '', code: 0 })
  const { machine, rows } = JSON.parse(out)
  expect(machine.cores).toBeGreaterThan(0)
  expect(rows.map((row: { what: string }) => row.what)).toEqual([
    ...['redis', 'gateway', 'local worker', 'cloud worker', 'together'],
    ...['one step, p50', 'one step, p99', 'generate + verify, p50', 'generate + verify, p99'],
    ...['three escalations, p50', 'three escalations, p99'],
    ...['tools/list', 'instant job'].flatMap((call) =>
      [1, 32, 256].flatMap((connections) =>
        ['', ': share of a bare SDK handler', ': share of a bare Hono route'].map(
          (rest) => `${call}, ${connections} at once${rest}`,
        ),
      ),
    ),
  ])
  expect(rows.every((row: { value: number }) => row.value > 0)).toBe(true)
  expect(await readdir(bench.folder)).toEqual([])
  expect(await processesAt(bench.folder)).toEqual([])
})

test('a run that is interrupted stops everything it started', async () => {
  const bench = await startBench('memory')
  await once(bench.child.stdout, 'data')
  bench.child.kill('SIGINT')
  expect((await bench.ended).code).toBe(130)
  expect(await readdir(bench.folder)).toEqual([])
  expect(await processesAt(bench.folder)).toEqual([])
})

test('help names every scenario; an unknown one is refused', async () => {
  const help = await (await startBench('--help')).ended
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/memory[\s\S]*latency[\s\S]*overhead[\s\S]*rate/)

  const wrong = await (await startBench('latencies')).ended
  expect(wrong).toMatchObject({ code: 2, out: '' })
  expect(wrong.err).toMatch('there is no scenario called latencies')
})

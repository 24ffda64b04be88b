import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { processesAt } from './kit/leftovers.ts'

/** A whole fleet starts, and other tests run beside it. */
vi.setConfig({ testTimeout: 90_000 })

const MAIN = join(import.meta.dirname, 'main.ts')

/** Starts the run with a folder for temporary files of its own. */
async function startChaos(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-chaos-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { folder, child, ended: ended.then(([out, err, [code]]) => ({ out, err, code })) }
}

test('help names every option; a wrong one is refused', async () => {
  const help = await (await startChaos('--help')).ended
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/--seconds[\s\S]*--jobs[\s\S]*--kills[\s\S]*--seed[\s\S]*--json/)
  const wrong = await (await startChaos('--seconds', 'soon')).ended
  expect(wrong).toMatchObject({ code: 2, out: '' })
  expect(wrong.err).toMatch('--seconds: write a whole number above 0')
})

test('a run that is interrupted stops everything it started', async () => {
  const chaos = await startChaos('--seconds', '60')
  await vi.waitFor(
    async () => {
      const [run] = await readdir(chaos.folder)
      expect(existsSync(join(chaos.folder, run ?? '', 'brain'))).toBe(true)
    },
    { timeout: 60_000 },
  )
  chaos.child.kill('SIGINT')
  expect((await chaos.ended).code).toBe(130)
  expect(await readdir(chaos.folder)).toEqual([])
  expect(processesAt(chaos.folder)).toEqual([])
})

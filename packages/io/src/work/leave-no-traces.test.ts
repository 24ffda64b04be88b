import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { capturePatch } from './capture-patch.ts'
import { leavingNoTraces } from './leave-no-traces.ts'
import { openWorkspace } from './workspace.ts'

test("what a test run writes, changes or removes is taken back; the model's own change and ignored files stay", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-traces-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { signal } = new AbortController()
  const files = [
    { path: '.gitignore', content: 'cache/\n' },
    { path: 'a.txt', content: 'a\n' },
    { path: 'b.txt', content: 'b\n' },
  ]
  const source = { kind: 'bundle', files } as const
  const workspace = await openWorkspace({ source, dataDir: folder, jobId: 'job' }, signal)
  const at = (path: string) => join(workspace.tree, path)
  await writeFile(at('new.txt'), 'by the model\n')
  await leavingNoTraces(
    workspace,
    async () => {
      await writeFile(at('report.xml'), 'by the tests\n')
      await appendFile(at('a.txt'), 'by the tests\n')
      await rm(at('b.txt'))
      await mkdir(at('cache'))
      await writeFile(at('cache/warm'), 'warm\n')
    },
    signal,
  )
  const patch = await capturePatch(workspace, signal)
  expect(patch.files.map(({ path, status }) => [path, status])).toEqual([['new.txt', 'added']])
  expect(await readFile(at('cache/warm'), 'utf8')).toBe('warm\n')
})

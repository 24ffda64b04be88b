import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTestQueue } from '@hyperguild/io/queue/queue.fixture.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startFileSweeper } from './sweep-files.ts'

const TWO_DAYS_MS = 2 * 86_400_000

test('the journal of a patch stays while its job is kept, and while it is young', async () => {
  const at = openTestQueue({ redisUrl: inject('redisUrl'), atEnd: onTestFinished })
  const dataDir = mkdtempSync(join(tmpdir(), 'hyperguild-sweep-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const { id: kept } = await at.submit()
  const old = new Date(Date.now() - TWO_DAYS_MS)
  for (const name of [kept, 'old', 'young', 'locks']) {
    const folder = join(dataDir, 'applied', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'outcome.json'), '{}')
    if (name !== 'young') utimesSync(folder, old, old)
  }
  const sweeper = startFileSweeper({
    store: at.store,
    dataDir,
    onError: (error) => expect.fail(String(error)),
  })
  await sweeper.close()
  expect(readdirSync(join(dataDir, 'applied')).toSorted()).toEqual(
    [kept, 'locks', 'young'].toSorted(),
  )
})

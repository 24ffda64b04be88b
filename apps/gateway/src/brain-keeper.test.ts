import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { expect, onTestFinished, test } from 'vitest'
import { keepBrain } from './brain-keeper.ts'

test('a gateway takes the brain as soon as the one that owned it is gone', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'hyperguild-test-brain-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const log = createLogger('test', 'silent')
  const old = keepBrain(dir, log)
  const young = keepBrain(dir, log)
  onTestFinished(() => young.close())
  await old.taken
  expect(old.current()).not.toBeNull()
  expect(young.current()).toBeNull()

  await old.close()
  await young.taken
  const note = { title: 'Rounding', content: 'Round once.', tags: [], source: 'test#1' }
  expect(await young.current()!.write(note)).toMatchObject({ path: 'rounding.md' })
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import { expect, onTestFinished, test } from 'vitest'
import { mergeEntries, readSessionFile, sessionFile } from './session-log.ts'

const entry = (job_id: string) => ({ job_id }) as SessionEntry

async function sessionsDir(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-sessions-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

test.each(['../etc/passwd', 'a/b', '', '.hidden', 'a'.repeat(129), 'a\0', '..'])(
  'a session may not be called %j',
  (id) => {
    expect(() => sessionFile('/sessions', id)).toThrow(RequestError)
  },
)

test('a session has its file in the folder of sessions', () => {
  expect(sessionFile('/sessions', 'Night-shift_2.1')).toBe('/sessions/Night-shift_2.1.jsonl')
})

test('a torn line is passed over and a session without a file has no entries', async () => {
  const folder = await sessionsDir({ 'monday.jsonl': '{"job_id":"1"}\n{"job_id":"2"}\n{"job_' })
  expect(await readSessionFile(folder, 'monday')).toEqual([entry('1'), entry('2')])
  expect(await readSessionFile(folder, 'tuesday')).toEqual([])
})

test('what is in the file and what has not reached it yet make one history, nothing twice', () => {
  const merged = mergeEntries([entry('1'), entry('2')], [entry('2'), entry('3')])
  expect(merged.map(({ job_id }) => job_id)).toEqual(['1', '2', '3'])
})

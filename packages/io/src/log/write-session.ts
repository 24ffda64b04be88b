import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SessionEntry } from '@hyperguild/core/result.ts'

const NEWLINE = 0x0a

/**
 * Adds entries to a session's file, each as one line, on disk before this resolves. A line torn by an earlier crash is
 * cut off first.
 * @param mayBeWritten whether some of them may stand in the file already; those are left out
 */
export async function writeSession(
  path: string,
  entries: readonly SessionEntry[],
  mayBeWritten: boolean,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const text = mayBeWritten ? await wholeLines(path) : ''
  const missing = entries.filter(
    ({ job_id }) => !text.includes(`"job_id":${JSON.stringify(job_id)}`),
  )
  if (missing.length > 0) await appendLines(path, missing)
}

async function appendLines(path: string, entries: readonly SessionEntry[]): Promise<void> {
  await using file = await open(path, 'a+')
  const { size } = await file.stat()
  if (size > 0 && (await byteAt(file, size - 1)) !== NEWLINE) {
    await file.truncate((await readFile(path)).lastIndexOf(NEWLINE) + 1)
  }
  await file.appendFile(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
  await file.datasync()
  if (size === 0) await syncFolder(dirname(path))
}

/** A new file is there after a power cut only when its folder is on disk too. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

async function byteAt(file: FileHandle, position: number): Promise<number | undefined> {
  const { buffer } = await file.read({ buffer: Buffer.alloc(1), position })
  return buffer[0]
}

/** @throws when there is a file and it cannot be read: what may stand in it must not be written twice */
async function wholeLines(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

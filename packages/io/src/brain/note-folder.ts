import { randomUUID } from 'node:crypto'
import { constants, readdirSync, rmSync } from 'node:fs'
import { lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A markdown file of the brain as the disk has it now. */
export interface ListedFile {
  /** Relative to the folder, forward slashes. */
  path: string
  /** Changes whenever the file does. */
  version: string
  bytes: number
  /** ISO 8601. */
  modified: string
}

const TEMPORARY = /^\.note-.*\.tmp$/

/** Every .md file under the folder; hidden ones, symbolic links and whatever stands behind them are left out. */
export async function listNoteFiles(dir: string, under = ''): Promise<ListedFile[]> {
  const entries = await readdir(join(dir, under), { withFileTypes: true })
  const lists = entries.map(async (entry): Promise<ListedFile[]> => {
    const path = under === '' ? entry.name : `${under}/${entry.name}`
    if (entry.name.startsWith('.')) return []
    if (entry.isDirectory()) return listNoteFiles(dir, path)
    return entry.isFile() && /\.md$/i.test(entry.name) ? describeFile(dir, path) : []
  })
  return (await Promise.all(lists)).flat()
}

/** @throws when the file is gone, has become a link, or is not UTF-8 */
export async function readNoteText(dir: string, path: string): Promise<string> {
  const file = await open(join(dir, path), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
  } finally {
    await file.close()
  }
}

/** Puts a text in place of a file, whole or not at all, also when the machine dies meanwhile. */
export async function replaceNoteText(dir: string, path: string, text: string): Promise<void> {
  const temporary = join(dir, `.note-${randomUUID()}.tmp`)
  const target = join(dir, path)
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(target))
}

/** The file names taken in the folder itself, as a file system that ignores case would compare them. */
export async function namesTaken(dir: string): Promise<Set<string>> {
  return new Set((await readdir(dir)).map(comparable))
}

export function comparable(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

/** Removes what a write left behind when its process died. */
export function sweepTemporaryFiles(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (TEMPORARY.test(name)) rmSync(join(dir, name), { force: true })
  }
}

async function describeFile(dir: string, path: string): Promise<ListedFile[]> {
  const stats = await lstat(join(dir, path), { bigint: true }).catch(() => null)
  if (!stats?.isFile()) return []
  const version = `${stats.ino}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.size}`
  return [{ path, version, bytes: Number(stats.size), modified: stats.mtime.toISOString() }]
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a new file and waits until it is on the disk; a file of that name, or a link, is replaced. */
export async function writeDurably(
  path: string,
  content: string | Buffer,
  mode = 0o600,
): Promise<void> {
  await rm(path, { force: true })
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(content)
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the names in a directory durable; where a file system cannot, its own order must do. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  await directory.sync().catch(() => {})
  await directory.close()
}

/** A JSON file appears complete or not at all, and stays. */
export async function writeJsonDurably(path: string, value: unknown): Promise<void> {
  await writeDurably(`${path}.new`, JSON.stringify(value))
  await rename(`${path}.new`, path)
  await syncDirectory(dirname(path))
}

/** What a JSON file holds, or null when there is none. */
export async function readJsonFile<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

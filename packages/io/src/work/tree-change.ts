import { constants } from 'node:fs'
import { chown, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { blobIdOf } from './blobs.ts'
import { syncDirectory, writeDurably } from './durable-file.ts'

/** One file of a plan: from one content to another; null where the file is absent. */
export interface FileChange {
  /** Relative to the root; checked by `pathProblem`. */
  path: string
  baseBlob: string | null
  newBlob: string | null
  /** Permission bits, whichever content it holds. */
  mode: number
}

/** `foreign`: neither what it was nor what it shall be, so somebody else wrote it. */
export type FileState = 'base' | 'new' | 'foreign'

/** How a file stands now. A link, a directory or a special file is foreign, and so is a file behind a linked directory. */
export async function stateOf(root: string, change: FileChange): Promise<FileState> {
  if ((await missingParents(root, change.path)) === null) return 'foreign'
  const bytes = await readRegularFile(join(root, change.path))
  if (bytes === 'irregular') return 'foreign'
  const id = bytes && blobIdOf(bytes)
  return id === change.newBlob ? 'new' : id === change.baseBlob ? 'base' : 'foreign'
}

/** A file's bytes, null when it is absent. Never follows a link, never waits on a pipe. */
export async function readRegularFile(path: string): Promise<Buffer | 'irregular' | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, flags).catch((error) => {
    if (error.code === 'ENOENT') return null
    if (error.code === 'ELOOP' || error.code === 'ENXIO') return 'irregular' as const
    throw error
  })
  if (file === null || file === 'irregular') return file
  try {
    return (await file.stat()).isFile() ? await file.readFile() : 'irregular'
  } finally {
    await file.close()
  }
}

/** The directories that must be made for a path, outermost first; null when something else is in the way. */
export async function missingParents(root: string, path: string): Promise<string[] | null> {
  const missing: string[] = []
  const segments = path.split('/').slice(0, -1)
  for (let depth = 1; depth <= segments.length; depth++) {
    const parent = segments.slice(0, depth).join('/')
    const facts = await lstat(join(root, parent)).catch((error) => {
      if (error.code === 'ENOENT') return null
      if (error.code === 'ENOTDIR') return 'blocked' as const
      throw error
    })
    if (facts === 'blocked' || (facts && !facts.isDirectory())) return null
    if (facts === null) missing.push(parent)
  }
  return missing
}

/** Puts content beside its place, with the rights and the owner it shall have; only a rename is left to do. */
export async function prepareFile(
  root: string,
  change: FileChange,
  content: Buffer,
  asidePath: string,
): Promise<void> {
  const target = join(root, change.path)
  await mkdir(dirname(target), { recursive: true })
  await writeDurably(asidePath, content, change.mode)
  // A worker that runs as root must not take the project's files away from their owner.
  const owner = await lstat(target).catch(() => lstat(root))
  await chown(asidePath, owner.uid, owner.gid).catch(() => {})
  await syncDirectory(dirname(target))
}

export async function moveIntoPlace(root: string, path: string, asidePath: string): Promise<void> {
  await rename(asidePath, join(root, path))
  await syncDirectory(dirname(asidePath))
}

export async function removeFile(root: string, path: string): Promise<void> {
  const target = join(root, path)
  await rm(target)
  await syncDirectory(dirname(target))
}

/** Takes back directories that were made, as far as they are still empty. */
export async function removeEmptyDirectories(root: string, directories: readonly string[]) {
  for (const directory of directories.toReversed()) {
    await rmdir(join(root, directory)).catch(() => {})
  }
}

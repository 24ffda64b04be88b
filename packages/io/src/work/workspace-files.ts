import { constants, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { type FileRead, pathProblem, readProjectFile } from './roots.ts'

export type Place = { ok: true; path: string; facts: Stats | null } | { ok: false; problem: string }

/**
 * Where a path that a model wrote lies in its workspace. Refuses what leads out of it or into version control, and
 * every link on the way: a workspace may hold links that a repository or a test run planted.
 * @param root the workspace's directory; links above it are the operator's business
 * @returns the path relative to the root, tidied, and what stands there (null: nothing yet)
 */
export async function placeIn(root: string, path: string): Promise<Place> {
  const problem = pathProblem(path)
  if (problem) return { ok: false, problem }
  const tidy = posix.normalize(path).replace(/\/$/, '')
  const segments = tidy.split('/')
  let facts: Stats | null = null
  for (let depth = 1; depth <= segments.length; depth++) {
    const part = segments.slice(0, depth).join('/')
    facts = await lstatOrNull(join(root, part))
    if (facts === null) break
    if (facts.isSymbolicLink())
      return { ok: false, problem: `${quoted(part)} is a link; links are not followed` }
    if (depth < segments.length && !facts.isDirectory()) {
      return { ok: false, problem: `${quoted(part)} is not a directory` }
    }
  }
  return { ok: true, path: tidy, facts }
}

/** The text of a workspace file, as `readProjectFile` reads it, but through no link at all. */
export async function readWorkspaceFile(
  root: string,
  path: string,
  maxBytes: number,
): Promise<FileRead> {
  const place = await placeIn(root, path)
  return place.ok ? readProjectFile(root, place.path, maxBytes) : place
}

/** Writes a whole file and the directories it needs. The mode of an existing file stays. */
export async function writeWorkspaceFile(
  root: string,
  path: string,
  text: string,
  maxBytes: number,
): Promise<{ ok: true } | { ok: false; problem: string }> {
  const refuse = (problem: string) =>
    ({ ok: false, problem: `${quoted(path)} ${problem}` }) as const
  const place = await placeIn(root, path)
  if (!place.ok) return place
  if (place.facts?.isDirectory()) return refuse('is a directory; name a file in it')
  if (place.facts && !place.facts.isFile()) return refuse('is not a regular file')
  if (text.includes('\0')) return refuse('would hold a NUL character; only text can be written')
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes)
    return refuse(`would be too large: ${bytes} bytes, and the limit is ${maxBytes}`)
  try {
    await writeTextAt(join(root, place.path), text)
    return { ok: true }
  } catch (error) {
    return refuse(`cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}

async function writeTextAt(absolute: string, text: string): Promise<void> {
  await mkdir(dirname(absolute), { recursive: true })
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
  const file = await open(absolute, flags | constants.O_NONBLOCK, 0o644)
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}

const SKIPPED = new Set(['.git', 'node_modules'])

/**
 * The regular files under a directory of the workspace, relative to its root, by name. Links are not
 * followed; what cannot be read is passed over.
 */
export async function* filesUnder(root: string, directory: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch(() => [])
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = posix.join(directory, entry.name)
    if (entry.isFile()) yield path
    else if (entry.isDirectory() && !SKIPPED.has(entry.name.toLowerCase())) {
      yield* filesUnder(root, path)
    }
  }
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  return lstat(path).catch(() => null)
}

function quoted(path: string): string {
  return JSON.stringify(path)
}

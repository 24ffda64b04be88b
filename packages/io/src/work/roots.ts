import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, posix, relative, sep } from 'node:path'
import type { PackedFile } from '@hyperguild/core/prompt.ts'
import { nearestFile } from './nearest-file.ts'

export type ResolvedRoot = { ok: true; realPath: string } | { ok: false; problem: string }
export type FileRead = { ok: true; text: string } | { ok: false; problem: string }

/**
 * The real path of a project directory, if it lies under one of the roots (or is one). What exists outside of the
 * roots is not told: outside is outside.
 * @param roots directories the operator allows, absolute
 */
export async function resolveUnderRoots(
  roots: readonly string[],
  path: string,
): Promise<ResolvedRoot> {
  const refuse = (problem: string): ResolvedRoot => ({ ok: false, problem })
  if (roots.length === 0) {
    return refuse(
      'no directory may be worked on yet: set HYPERGUILD_ROOTS to the directories that hold your projects, and restart',
    )
  }
  if (!isAbsolute(path) || path.includes('\0')) {
    return refuse(`${quoted(path)} must be the absolute path of a project directory`)
  }
  const realRoots = await Promise.all(roots.map(realPathOrNull))
  const usable = realRoots.filter((root) => root !== null)
  const real = await realPathOrNull(path)
  // A missing path has no real path: it is judged as it was written.
  const inside =
    real === null
      ? [...roots, ...usable].some((root) => isInside(root, path))
      : usable.some((root) => isInside(root, real))
  if (!inside) {
    if (usable.length === 0) return refuse(`none of the allowed roots exists: ${roots.join(', ')}`)
    return refuse(
      `${quoted(path)} is outside the allowed roots (${roots.join(', ')}): move it there, or add it to HYPERGUILD_ROOTS`,
    )
  }
  if (real === null)
    return refuse(
      `${quoted(path)} does not exist here; a worker must see the project under the same path`,
    )
  if (!(await stat(real)).isDirectory()) {
    return refuse(`${quoted(path)} is not a directory; name the project's directory`)
  }
  return { ok: true, realPath: real }
}

/**
 * The text of one project file. Never follows a link out of the project, never reads version control's own files,
 * never blocks on a pipe or device.
 * @param root real path of the project
 * @param relativePath as the caller or a model wrote it
 */
export async function readProjectFile(
  root: string,
  relativePath: string,
  maxBytes: number,
): Promise<FileRead> {
  const refuse = (problem: string): FileRead => ({ ok: false, problem })
  const problem = pathProblem(relativePath)
  if (problem) return refuse(problem)
  const real = await realPathOrNull(join(root, relativePath))
  if (real === null) {
    const near = await nearestFile(root, posix.normalize(relativePath))
    const hint =
      near === null
        ? '; name files relative to the project root'
        : `; did you mean ${quoted(near)}?`
    return refuse(`${quoted(relativePath)} does not exist in the project${hint}`)
  }
  if (!isInside(root, real)) {
    return refuse(`${quoted(relativePath)} is a link that leads out of the project`)
  }
  // A link with an innocent name may still lead to a path that would be refused.
  const realProblem = pathProblem(relative(root, real) || '.')
  if (realProblem) return refuse(realProblem)
  return readTextAt(real, relativePath, maxBytes)
}

/**
 * Several project files at once, in the order named, each once.
 * @returns the files that could be read, and one line for each that could not
 */
export async function readNamedFiles(
  root: string,
  relativePaths: readonly string[],
  maxBytesEach: number,
): Promise<{ files: PackedFile[]; problems: string[] }> {
  const files: PackedFile[] = []
  const problems: string[] = []
  for (const path of new Set(relativePaths)) {
    const read = await readProjectFile(root, path, maxBytesEach)
    if (read.ok) files.push({ path, text: read.text })
    else problems.push(read.problem)
  }
  return { files, problems }
}

/** What is wrong with a path before the disk is asked, or null; for paths that callers and models write. */
export function pathProblem(path: string): string | null {
  if (path === '' || path.includes('\0')) return 'a path is empty or holds a NUL character'
  if (isAbsolute(path) || /^[A-Za-z]:[\\/]/.test(path)) {
    return `${quoted(path)} is absolute; paths are relative to the project root`
  }
  const segments = path.split(/[\\/]/)
  if (segments.includes('..')) return `${quoted(path)} contains ".."; paths stay inside the project`
  if (segments.some((segment) => segment.toLowerCase() === '.git')) {
    return `${quoted(path)} belongs to version control and is off limits`
  }
  return null
}

/** Whether `path` is `directory` or lies in it; both real and absolute. */
export function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

async function readTextAt(real: string, shownPath: string, maxBytes: number): Promise<FileRead> {
  const refuse = (problem: string): FileRead => ({
    ok: false,
    problem: `${quoted(shownPath)} ${problem}`,
  })
  const file = await openOrNull(real)
  if (file === null) return refuse('cannot be opened; check its permissions')
  try {
    const facts = await file.stat()
    if (facts.isDirectory()) return refuse('is a directory; name a file in it')
    if (!facts.isFile()) return refuse('is not a regular file')
    if (facts.size > maxBytes) {
      return refuse(`is too large: ${facts.size} bytes, and the limit is ${maxBytes}; leave it out`)
    }
    const bytes = await file.readFile()
    if (bytes.includes(0)) return refuse('is a binary file; only text can be read')
    return {
      ok: true,
      text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    }
  } catch (error) {
    if (error instanceof TypeError) return refuse('is not UTF-8 text')
    throw error
  } finally {
    await file.close()
  }
}

async function openOrNull(path: string) {
  // Without O_NONBLOCK, opening a named pipe waits for somebody to write into it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
  return open(path, flags).catch(() => null)
}

async function realPathOrNull(path: string): Promise<string | null> {
  return realpath(path).catch(() => null)
}

function quoted(path: string): string {
  return JSON.stringify(path)
}

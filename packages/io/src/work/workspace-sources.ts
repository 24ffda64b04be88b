import { randomUUID } from 'node:crypto'
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { FillIndex } from './base-snapshot.ts'
import { GitError, runGit } from './git.ts'
import { lendObjects } from './git-dir.ts'
import { findObjects, findProjectGit, listProjectFiles } from './project-listing.ts'
import { pathProblem } from './roots.ts'

export interface BundleFile {
  path: string
  content: string
}

/** Where a job's files come from. */
export type WorkspaceSource =
  /** `root` as `resolveUnderRoots` gave it. */
  | { kind: 'directory'; root: string }
  | { kind: 'repo'; url: string; ref: string }
  | { kind: 'bundle'; files: readonly BundleFile[] }

const BUNDLE_FILES = 500
const BUNDLE_FILE_BYTES = 256 * 1024
const BUNDLE_BYTES = 5 * 1024 * 1024

/** The directory as it is now: committed, changed and new files, but nothing ignored. */
export function fillFromDirectory(root: string): FillIndex {
  return async (gitDir, signal) => {
    const project = await findProjectGit(root, gitDir, signal)
    const [{ paths, nested }, objects] = await Promise.all([
      listProjectFiles(project, signal),
      findObjects(project, signal),
    ])
    // The project lends its objects: what it has committed need not be written again, only hashed.
    if (objects) await lendObjects(gitDir, objects)
    const skipped = await addFiles(
      { gitDir, workTree: root, paths, areKnown: objects !== null },
      signal,
    )
    return [...nested, ...skipped].map(
      (path) =>
        `${Buffer.from(path, 'latin1')} (a repository of its own, or a directory where a file was tracked)`,
    )
  }
}

/** Files the caller sent along. */
export function fillFromBundle(files: readonly BundleFile[]): FillIndex {
  const problem = bundleProblem(files)
  if (problem) throw new RequestError('invalid_argument', problem)
  return async (gitDir, signal) => {
    const workTree = join(gitDir, `bundle-${randomUUID()}`)
    try {
      for (const { path, content } of files) {
        await mkdir(dirname(join(workTree, path)), { recursive: true })
        await writeFile(join(workTree, path), content, { flag: 'wx' })
      }
      const paths = files.map(({ path }) => Buffer.from(posix.normalize(path)).toString('latin1'))
      return await addFiles({ gitDir, workTree, paths, areKnown: false }, signal)
    } catch (error) {
      if (!isNodeError(error)) throw error
      throw new RequestError('invalid_argument', `the bundle's paths collide (${error.code})`)
    } finally {
      await rm(workTree, { recursive: true, force: true })
    }
  }
}

/** What is wrong with an uploaded bundle, or null. */
export function bundleProblem(files: readonly BundleFile[]): string | null {
  if (files.length === 0) return 'the bundle holds no files'
  if (files.length > BUNDLE_FILES) {
    return `the bundle holds ${files.length} files, and the limit is ${BUNDLE_FILES}`
  }
  let total = 0
  for (const { path, content } of files) {
    const problem = pathProblem(path)
    if (problem) return problem
    const bytes = Buffer.byteLength(content)
    total += bytes
    if (bytes > BUNDLE_FILE_BYTES) {
      return `${path} is ${bytes} bytes, and the limit for a file of a bundle is ${BUNDLE_FILE_BYTES}`
    }
  }
  if (total > BUNDLE_BYTES) return `the bundle is ${total} bytes, and the limit is ${BUNDLE_BYTES}`
  return null
}

interface Addition {
  gitDir: string
  workTree: string
  paths: readonly string[]
  /** Whether most contents are known already, so that hashing them is all there is to do. */
  areKnown: boolean
}

// For unknown contents one pack instead of a file per object takes half the time, but writes before it looks.
const INTO_PACK = ['core.bigFileThreshold=0', 'core.compression=0']
const INTO_FILES = ['core.looseCompression=0']

/** Adds files as they are on disk; one that is gone is left out. Returns directories listed as files, left out too. */
async function addFiles(addition: Addition, signal: AbortSignal): Promise<string[]> {
  const { gitDir, workTree, paths } = addition
  const config = addition.areKnown ? INTO_FILES : INTO_PACK
  const update = (added: readonly string[]) => {
    const input = Buffer.from(added.map((path) => `${path}\0`).join(''), 'latin1')
    const args = ['update-index', '--add', '--remove', '-z', '--stdin']
    return runGit(args, { gitDir, workTree, input, config }, signal)
  }
  const skipped: string[] = []
  try {
    // Rare, so it is not looked for before git complains.
    await update(paths).catch(async (error) => {
      if (!(error instanceof GitError && error.stderr.includes('is a directory'))) throw error
      skipped.push(...(await directoriesAmong(workTree, paths)))
      await update(paths.filter((path) => !skipped.includes(path)))
    })
  } catch (error) {
    if (!(error instanceof GitError) || error.exitCode === null) throw error
    const why = error.stderr.split('\n').find((line) => line.startsWith('error')) ?? error.message
    throw new RequestError('invalid_argument', `the project's files cannot be read: ${why}`)
  }
  return skipped
}

async function directoriesAmong(workTree: string, paths: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const real = Buffer.from(join(Buffer.from(workTree).toString('latin1'), path), 'latin1')
    if ((await lstat(real).catch(() => null))?.isDirectory()) found.push(path)
  }
  return found
}

function isNodeError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { readBlobs } from './blobs.ts'
import { runGit } from './git.ts'
import { createGitDir } from './git-dir.ts'

/** The state all attempts of a job start from, in a git directory that is never written again. */
export interface Base {
  gitDir: string
  commit: string
  /** The content's id: equal on every machine for equal files. */
  tree: string
  /** What the source held and the base does not, one line each. */
  leftOut: readonly string[]
}

/** Fills the index of a new git directory with what a source holds, and tells what it left out. */
export type FillIndex = (gitDir: string, signal: AbortSignal) => Promise<string[]>

/**
 * The job's base, made by the first attempt on this machine and found by the later ones.
 * @param path where it lies; it appears there complete or not at all
 */
export async function freezeBase(
  path: string,
  fillIndex: FillIndex,
  signal: AbortSignal,
): Promise<Base> {
  const existing = await readBase(path)
  if (existing) return existing
  const draft = `${path}.${randomUUID()}`
  try {
    await createGitDir(draft)
    const leftOut = await fillIndex(draft, signal)
    await writeBase(draft, leftOut, signal)
    // Fails when another worker was faster: then theirs counts.
    await rename(draft, path).catch(() => {})
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await readBase(path)
  if (made === null) throw new Error(`the base of the job at ${path} cannot be read`)
  return made
}

async function writeBase(gitDir: string, unread: string[], signal: AbortSignal): Promise<void> {
  const leftOut = [...unread, ...(await dropUnsafeEntries(gitDir, signal))]
  const tree = (await runGit(['write-tree'], { gitDir }, signal)).toString().trim()
  const committed = await runGit(['commit-tree', tree, '-m', 'base'], { gitDir }, signal)
  const facts: Omit<Base, 'gitDir'> = { commit: committed.toString().trim(), tree, leftOut }
  await writeFile(join(gitDir, 'base.json'), JSON.stringify(facts))
}

async function readBase(gitDir: string): Promise<Base | null> {
  const text = await readFile(join(gitDir, 'base.json'), 'utf8').catch(() => null)
  return text === null ? null : { gitDir, ...JSON.parse(text) }
}

/** Takes out submodules, and links that leave the project or might. */
async function dropUnsafeEntries(gitDir: string, signal: AbortSignal): Promise<string[]> {
  const listed = (await runGit(['ls-files', '-s', '-z'], { gitDir }, signal)).toString('latin1')
  const entries = [...listed.matchAll(/(?<=^|\0)(1[26]0000) (\w+) 0\t([^\0]*)\0/g)]
  const links = entries.filter(([, mode]) => mode === '120000')
  const targets = await readBlobs(
    gitDir,
    links.map(([, , blob]) => blob!),
    signal,
  )
  const leftOut: string[] = []
  const dropped: string[] = []
  for (const [, mode, blob, path] of entries) {
    const shown = Buffer.from(path!, 'latin1').toString()
    const target = mode === '120000' ? targets.get(blob!)!.toString() : null
    if (target !== null && linkStaysInside(shown, target)) continue
    leftOut.push(target === null ? `${shown} (a submodule)` : `${shown} (a link to ${target})`)
    dropped.push(`${path}\0`)
  }
  if (dropped.length > 0) {
    const input = Buffer.from(dropped.join(''), 'latin1')
    await runGit(['update-index', '-z', '--force-remove', '--stdin'], { gitDir, input }, signal)
  }
  return leftOut
}

/**
 * Whether a link at `path` leads to a place in the tree. Climbing is allowed only at the start, where the directories
 * are real ones: further on, `..` might follow another link.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (posix.isAbsolute(target)) return false
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.')
  const climbs = segments.findIndex((segment) => segment !== '..')
  const up = climbs === -1 ? segments.length : climbs
  const depth = posix.normalize(path).split('/').length - 1
  const down = segments.slice(up)
  return up <= depth && !down.some((segment) => segment === '..' || /^\.git$/i.test(segment))
}

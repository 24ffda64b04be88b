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
  const writeTree = async () => (await runGit(['write-tree'], { gitDir }, signal)).toString().trim()
  // Most projects hold nothing unsafe, so the tree is written while that is found out.
  const [unsafe, wholeTree] = await Promise.all([findUnsafeEntries(gitDir, signal), writeTree()])
  const tree =
    unsafe.length === 0 ? wholeTree : await dropEntries(gitDir, unsafe, signal).then(writeTree)
  const committed = await runGit(['commit-tree', tree, '-m', 'base'], { gitDir }, signal)
  const leftOut = [...unread, ...unsafe.map((entry) => entry.shown)]
  const facts: Omit<Base, 'gitDir'> = { commit: committed.toString().trim(), tree, leftOut }
  await writeFile(join(gitDir, 'base.json'), JSON.stringify(facts))
}

async function readBase(gitDir: string): Promise<Base | null> {
  const text = await readFile(join(gitDir, 'base.json'), 'utf8').catch(() => null)
  return text === null ? null : { gitDir, ...JSON.parse(text) }
}

interface UnsafeEntry {
  /** As latin1, which keeps every byte. */
  path: string
  shown: string
}

/** Submodules, and links that leave the project or might. */
async function findUnsafeEntries(gitDir: string, signal: AbortSignal): Promise<UnsafeEntry[]> {
  const listed = (await runGit(['ls-files', '-s', '-z'], { gitDir }, signal)).toString('latin1')
  const entries = [...listed.matchAll(/(?<=^|\0)(1[26]0000) (\w+) 0\t([^\0]*)\0/g)]
  const links = entries.filter(([, mode]) => mode === '120000')
  const blobs = links.map(([, , blob]) => blob!)
  const targets = await readBlobs(gitDir, blobs, signal)
  return entries.flatMap(([, mode, blob, path]) => {
    const name = Buffer.from(path!, 'latin1').toString()
    if (mode === '160000') return [{ path: path!, shown: `${name} (a submodule)` }]
    const target = targets.get(blob!)!.toString()
    if (linkStaysInside(name, target)) return []
    return [{ path: path!, shown: `${name} (a link to ${target})` }]
  })
}

async function dropEntries(gitDir: string, entries: readonly UnsafeEntry[], signal: AbortSignal) {
  const input = Buffer.from(entries.map((entry) => `${entry.path}\0`).join(''), 'latin1')
  await runGit(['update-index', '-z', '--force-remove', '--stdin'], { gitDir, input }, signal)
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

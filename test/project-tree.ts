import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Everything in a directory byte for byte: each path with its type, its rights, and what it holds or leads to. */
export function treeOf(root: string): Record<string, string> {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(paths.map((path) => [path, describe(join(root, path))]))
}

function describe(path: string): string {
  const facts = lstatSync(path)
  const mode = facts.mode.toString(8)
  if (facts.isSymbolicLink()) return `${mode} ${readlinkSync(path)}`
  if (!facts.isFile()) return mode
  return `${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
}

/** What differs between two trees: paths that were added, changed or removed. */
export function changedPaths(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[] {
  const all = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...all].filter((path) => before[path] !== after[path]).sort()
}

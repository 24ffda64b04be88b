import { readdir } from 'node:fs/promises'
import { posix } from 'node:path'

const MOST_FILES = 5000
const SKIPPED_DIRECTORIES = new Set(['.git', 'node_modules', 'target', 'dist', 'vendor', '.venv'])

/** The project file whose path looks most like a path that does not exist, or null when none is near. */
export async function nearestFile(root: string, wanted: string): Promise<string | null> {
  const wantedName = posix.basename(wanted)
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const path of await listSomeFiles(root)) {
    const name = posix.basename(path)
    const nameDistance = editDistance(name.toLowerCase(), wantedName.toLowerCase())
    if (nameDistance > Math.floor(wantedName.length / 4)) continue
    // The name counts first; among equal names the more similar directory wins.
    const distance = nameDistance * 1000 + editDistance(path, wanted)
    if (distance < bestDistance) {
      best = path
      bestDistance = distance
    }
  }
  return best
}

/** Breadth first, so that a huge project still yields its nearest-to-the-top files. */
async function listSomeFiles(root: string): Promise<string[]> {
  const files: string[] = []
  const pending = ['']
  while (pending.length > 0 && files.length < MOST_FILES) {
    const directory = pending.shift()!
    const entries = await readdir(posix.join(root, directory), { withFileTypes: true }).catch(
      () => [],
    )
    for (const entry of entries) {
      const path = posix.join(directory, entry.name)
      if (entry.isFile()) files.push(path)
      else if (entry.isDirectory() && !SKIPPED_DIRECTORIES.has(entry.name)) pending.push(path)
    }
  }
  return files
}

/** Levenshtein distance; lengths that differ a lot are not worth computing. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 40) return 1000
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

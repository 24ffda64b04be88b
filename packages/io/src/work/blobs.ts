import { createHash } from 'node:crypto'
import { runGit } from './git.ts'

/** The id git gives to a file's bytes. */
export function blobIdOf(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** The contents of many blobs by one process, by id. */
export async function readBlobs(
  gitDir: string,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>()
  const wanted = [...new Set(ids)]
  if (wanted.length === 0) return contents
  const input = wanted.map((id) => `${id}\n`).join('')
  const answer = await runGit(['cat-file', '--batch'], { gitDir, input }, signal)
  let at = 0
  for (const id of wanted) {
    const endOfHead = answer.indexOf('\n', at)
    const head = answer.toString('latin1', at, endOfHead)
    const size = Number(/ blob (\d+)$/.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(size)) throw new Error(`git has no blob ${id}: ${head}`)
    contents.set(id, answer.subarray(endOfHead + 1, endOfHead + 1 + size))
    at = endOfHead + size + 2
  }
  return contents
}

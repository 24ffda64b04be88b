import { isUtf8 } from 'node:buffer'
import { join } from 'node:path'
import type { Patch, PatchFile } from '@hyperguild/core/evidence.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { GitError, runGit } from './git.ts'
import { ALL_BINARY, createGitDir, lendObjects } from './git-dir.ts'
import type { Workspace } from './workspace.ts'

const MAX_DIFF_BYTES = 10 * 1024 * 1024
const ABSENT = /^0+$/

/**
 * What the attempt changed, against the base. Ignored files are not part of it. A file that is not UTF-8 on both
 * sides comes as a binary diff, so that the patch as a string loses no byte.
 * @throws {ModelFailure} `bad_output` when the change is too large to look at
 */
export async function capturePatch(
  workspace: Pick<Workspace, 'gitDir' | 'tree' | 'baseCommit' | 'baseTree'>,
  signal: AbortSignal,
): Promise<Patch> {
  const { gitDir, tree, baseTree, baseCommit } = workspace
  await runGit(['add', '--all'], { gitDir, workTree: tree }, signal).catch(refuseUnreadable)
  const newTree = (await runGit(['write-tree'], { gitDir }, signal)).toString().trim()
  const diff = (args: readonly string[], from = gitDir) => diffTrees(from, args, signal)
  const trees = [baseTree, newTree, '--']
  const [raw, counts, whole] = await Promise.all([
    diff(['--raw', '--abbrev=40', '-z', ...trees]),
    diff(['--numstat', '-z', ...trees]),
    diff(['--binary', ...trees]),
  ])
  const files = patchFiles(raw.toString(), counts.toString())
  if (isUtf8(whole)) return { baseCommit, diff: whole.toString(), files }
  const asBinary = join(gitDir, 'as-binary')
  await createGitDir(asBinary, ALL_BINARY)
  await lendObjects(asBinary, join(gitDir, 'objects'))
  const parts: string[] = []
  for (const { path } of files) {
    const only = ['--binary', ...trees, `:(literal)${path}`]
    const text = await diff(only)
    parts.push((isUtf8(text) ? text : await diff(only, asBinary)).toString())
  }
  return { baseCommit, diff: parts.join(''), files }
}

function diffTrees(gitDir: string, args: readonly string[], signal: AbortSignal): Promise<Buffer> {
  const shape = ['--full-index', '--no-renames', '--no-ext-diff', '--no-textconv']
  const run = { gitDir, maxOutputBytes: MAX_DIFF_BYTES }
  return runGit(['diff', ...shape, '--no-color', ...args], run, signal).catch(refuseTooLarge)
}

/** Reads `--raw -z` and `--numstat -z`, which list the same files in the same order. */
function patchFiles(raw: string, counts: string): PatchFile[] {
  const lineCounts = counts.split('\0').slice(0, -1)
  const fields = raw.split('\0').slice(0, -1)
  return lineCounts.map((line, i) => {
    const [baseMode, newMode, baseBlob, newBlob] = fields[2 * i]!.slice(1).split(' ')
    const [added, removed] = line.split('\t')
    const isAdded = ABSENT.test(baseMode!)
    const isDeleted = ABSENT.test(newMode!)
    return {
      path: fields[2 * i + 1]!,
      status: isAdded ? 'added' : isDeleted ? 'deleted' : 'modified',
      addedLines: added === '-' ? null : Number(added),
      removedLines: removed === '-' ? null : Number(removed),
      baseBlob: isAdded ? null : baseBlob!,
      newBlob: isDeleted ? null : newBlob!,
      baseMode: isAdded ? null : baseMode!,
      newMode: isDeleted ? null : newMode!,
    }
  })
}

function refuseUnreadable(error: unknown): never {
  if (!(error instanceof GitError) || error.exitCode === null) throw error
  const message = 'the changed tree cannot be read: unreadable files, or a repository inside of it'
  throw new ModelFailure('bad_output', message, { cause: error })
}

function refuseTooLarge(error: unknown): never {
  if (!(error instanceof GitError && error.tooMuchOutput)) throw error
  throw new ModelFailure('bad_output', `the change is larger than ${MAX_DIFF_BYTES} bytes`)
}

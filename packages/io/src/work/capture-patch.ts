import { isUtf8 } from 'node:buffer'
import type { Patch, PatchFile } from '@hyperguild/core/evidence.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { GitError, runGit } from './git.ts'
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
  const { gitDir, tree, baseTree } = workspace
  await runGit(['add', '--all'], { gitDir, workTree: tree }, signal).catch(refuseUnreadable)
  const diff = (args: readonly string[], config: readonly string[] = []) => {
    const shape = ['--cached', '--no-renames', '--no-ext-diff', '--no-textconv', '--no-color']
    const run = { gitDir, config, maxOutputBytes: MAX_DIFF_BYTES }
    return runGit(['diff', ...shape, ...args], run, signal).catch(refuseTooLarge)
  }
  const [raw, counts] = await Promise.all([
    diff(['--raw', '--abbrev=40', '-z', baseTree]),
    diff(['--numstat', '-z', baseTree]),
  ])
  const files = patchFiles(raw.toString(), counts.toString())
  const asText = ['--binary', '--full-index', baseTree, '--']
  const whole = await diff(asText)
  if (isUtf8(whole)) return { baseCommit: workspace.baseCommit, diff: whole.toString(), files }
  const parts: string[] = []
  for (const { path } of files) {
    const part = await diff([...asText, path])
    // A threshold of 0 makes git treat every file as binary.
    const safe = isUtf8(part) ? part : await diff([...asText, path], ['core.bigFileThreshold=0'])
    parts.push(safe.toString())
  }
  return { baseCommit: workspace.baseCommit, diff: parts.join(''), files }
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

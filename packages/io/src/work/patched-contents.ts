import { join } from 'node:path'
import { readBlobs } from './blobs.ts'
import { GitError, runGit } from './git.ts'
import { createGitDir } from './git-dir.ts'
import { removeTree } from './remove-tree.ts'

/** A file before a patch: where its bytes lie, and the part of the diff that changes it. */
export interface PatchedFile {
  path: string
  /** null when the patch adds it. */
  basePath: string | null
  newBlob: string | null
  section: string
}

/** The parts of a git diff, one per file. A line of content never begins with `diff`. */
export function sectionsOf(diff: string): string[] {
  return diff.split(/(?<=^|\n)(?=diff --git )/).filter((section) => section !== '')
}

/**
 * The contents after a patch, in the order of the files, null for deleted ones; computed by git away from the tree.
 * @param scratchDir for a git directory that is removed again
 * @returns null when the diff does not lead to the contents it promises
 */
export async function patchedContents(
  scratchDir: string,
  files: readonly PatchedFile[],
): Promise<(Buffer | null)[] | null> {
  if (files.length === 0) return []
  const gitDir = join(scratchDir, 'git')
  try {
    await createGitDir(gitDir)
    await indexBase(gitDir, files)
    const input = files.map((file) => file.section).join('')
    await runGit(['apply', '--cached', '--whitespace=nowarn'], { gitDir, input })
    const listed = await runGit(['ls-files', '-s', '-z'], { gitDir })
    const found = new Map(
      [...listed.toString().matchAll(/(?<=^|\0)\d+ (\w+) 0\t([^\0]*)\0/g)].map((m) => [
        m[2]!,
        m[1]!,
      ]),
    )
    const isPromised = files.every((file) => (found.get(file.path) ?? null) === file.newBlob)
    if (!isPromised || found.size !== files.filter((file) => file.newBlob).length) return null
    const contents = await readBlobs(gitDir, [...found.values()])
    return files.map((file) => (file.newBlob ? contents.get(file.newBlob)! : null))
  } catch (error) {
    if (error instanceof GitError && error.exitCode !== null) return null
    throw error
  } finally {
    await removeTree(gitDir)
  }
}

async function indexBase(gitDir: string, files: readonly PatchedFile[]): Promise<void> {
  const based = files.filter((file) => file.basePath !== null)
  if (based.length === 0) return
  const hashed = await runGit(['hash-object', '-w', '--no-filters', '--stdin-paths'], {
    gitDir,
    input: based.map((file) => `${file.basePath}\n`).join(''),
  })
  const ids = hashed.toString().split('\n')
  // The mode must be the one the section names, or git refuses the section.
  const modeOf = (section: string) =>
    /^(?:index \w+\.\.\w+|old mode|deleted file mode) (\d{6})$/m.exec(section)?.[1] ?? '100644'
  const input = based.map((file, i) => `${modeOf(file.section)} ${ids[i]}\t${file.path}\0`).join('')
  await runGit(['update-index', '-z', '--index-info'], { gitDir, input })
}

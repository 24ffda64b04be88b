import { lstat, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Patch, PatchFile } from '@hyperguild/core/evidence.ts'
import { syncDirectory, writeDurably } from './durable-file.ts'
import { patchedContents, sectionsOf } from './patched-contents.ts'
import { pathProblem } from './roots.ts'
import { type FileChange, missingParents, readRegularFile, stateOf } from './tree-change.ts'

/** What an application will do; its contents lie beside it, by the change's index. */
export interface ApplyPlan {
  changes: readonly FileChange[]
  /** Directories that must be made, outermost first. */
  newDirectories: readonly string[]
}

export const oldContent = (contentsDir: string, index: number) => join(contentsDir, `${index}.old`)
export const newContent = (contentsDir: string, index: number) => join(contentsDir, `${index}.new`)

/**
 * Looks at the tree, and puts the contents before and after on the disk; changes nothing in the tree. Files that hold
 * their new content already are not part of the plan: another machine may have been there before it died.
 */
export async function makePlan(
  root: string,
  patch: Patch,
  contentsDir: string,
): Promise<ApplyPlan | { refused: string }> {
  const sections = sectionsOf(patch.diff)
  const problem = shapeProblem(patch.files, sections)
  if (problem) return { refused: problem }
  const all = patch.files.map((file, i) => ({ change: changeOf(file), section: sections[i]! }))
  const states = await Promise.all(all.map(({ change }) => stateOf(root, change)))
  const foreign = all.filter((_, i) => states[i] === 'foreign').map(({ change }) => change.path)
  if (foreign.length > 0) return { refused: changedMeanwhile(foreign) }
  const pending = all.filter((_, i) => states[i] === 'base')
  const changes: FileChange[] = []
  await rm(contentsDir, { recursive: true, force: true })
  await mkdir(contentsDir, { recursive: true })
  for (const { change } of pending) {
    changes.push(await keepOldContent(root, change, oldContent(contentsDir, changes.length)))
  }
  const contents = await patchedContents(
    contentsDir,
    pending.map(({ change, section }, i) => ({
      path: change.path,
      basePath: change.baseBlob && oldContent(contentsDir, i),
      newBlob: change.newBlob,
      section,
    })),
  )
  if (contents === null) return { refused: 'the patch does not fit the content it names' }
  for (const [i, content] of contents.entries()) {
    if (content) await writeDurably(newContent(contentsDir, i), content)
  }
  await syncDirectory(contentsDir)
  const missing = await Promise.all(changes.map(({ path }) => missingParents(root, path)))
  return { changes, newDirectories: [...new Set(missing.flatMap((parents) => parents ?? []))] }
}

export function changedMeanwhile(paths: readonly string[]): string {
  return `changed since the job began, so nothing was touched: ${paths.join(', ')}`
}

async function keepOldContent(root: string, change: FileChange, copy: string): Promise<FileChange> {
  if (change.baseBlob === null) return change
  const path = join(root, change.path)
  const bytes = await readRegularFile(path)
  // Whatever it holds now, its id is compared once more before anything is renamed.
  await writeDurably(copy, Buffer.isBuffer(bytes) ? bytes : '')
  return { ...change, mode: (await lstat(path)).mode & 0o7777 }
}

function changeOf({ path, baseBlob, newBlob, newMode }: PatchFile): FileChange {
  return { path, baseBlob, newBlob, mode: newMode === '100755' ? 0o755 : 0o644 }
}

/** A patch that reached this point kept to the policy; what would be dangerous here is checked here all the same. */
function shapeProblem(files: readonly PatchFile[], sections: readonly string[]): string | null {
  if (sections.length !== files.length) return 'the patch does not list what it changes'
  if (new Set(files.map((file) => file.path)).size !== files.length)
    return 'the patch repeats a file'
  for (const { path, baseMode, newMode } of files) {
    const problem = pathProblem(path)
    if (problem) return problem
    const modes = [baseMode, newMode].filter((mode) => mode !== null)
    if (!modes.every((mode) => mode === '100644' || mode === '100755')) {
      return `${path} is not a regular file on both sides`
    }
  }
  return null
}

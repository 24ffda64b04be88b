import { mentionedPaths } from '@hyperguild/core/mentioned-paths.ts'
import type { PackedFile } from '@hyperguild/core/prompt.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { readNamedFiles, readProjectFile } from './roots.ts'

/** The files a task names, or why the job cannot be worked on. */
export type GatheredFiles = { ok: true; files: PackedFile[] } | { ok: false; problem: string }

/**
 * Reads the files a task names, and those its texts mention if they exist.
 * A named file that cannot be read is the caller's mistake; a mentioned one is left out.
 * @param root real path of the project
 */
export async function gatherFiles(
  root: string,
  skill: Pick<Skill, 'files' | 'limits'>,
  input: Readonly<Record<string, unknown>>,
): Promise<GatheredFiles> {
  const { file_bytes: fileBytes, prompt_bytes: promptBytes } = skill.limits
  const named = await readNamedFiles(root, textsOf(input, skill.files?.named_in ?? []), fileBytes)
  if (named.problems.length > 0) return { ok: false, problem: named.problems.join('; ') }
  const files = [...named.files]
  let bytesLeft = promptBytes - sizeOf(files)
  if (bytesLeft < 0) {
    const problem = `the files named are ${promptBytes - bytesLeft} bytes together, and a task may hold ${promptBytes}; name fewer`
    return { ok: false, problem }
  }
  for (const path of textsOf(input, skill.files?.mentioned_in ?? []).flatMap(mentionedPaths)) {
    if (files.some((file) => file.path === path)) continue
    const read = await readProjectFile(root, path, Math.min(fileBytes, bytesLeft))
    if (!read.ok) continue
    files.push({ path, text: read.text })
    bytesLeft = promptBytes - sizeOf(files)
  }
  return { ok: true, files }
}

function textsOf(input: Readonly<Record<string, unknown>>, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = input[name]
    return (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string')
  })
}

function sizeOf(files: readonly PackedFile[]): number {
  return files.reduce((sum, file) => sum + Buffer.byteLength(file.text), 0)
}

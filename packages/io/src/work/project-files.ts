import type { PackedFile } from '@hyperguild/core/prompt.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { mentionedPaths } from '@hyperguild/core/mentioned-paths.ts'
import { readNamedFiles, readProjectFile, resolveUnderRoots } from './roots.ts'

/** The project as a job sees it, with the files its task names; or why the job cannot be worked on. */
export type GatheredProject =
  | { ok: true; root: string | null; files: PackedFile[] }
  | { ok: false; problem: string }

/**
 * Reads the files a task names, and those its texts mention if they exist.
 * A named file that cannot be read is the caller's mistake; a mentioned one is left out.
 */
export async function gatherProject(
  roots: readonly string[],
  skill: Pick<Skill, 'files' | 'limits'>,
  input: Readonly<Record<string, unknown>>,
): Promise<GatheredProject> {
  if (typeof input.project_root !== 'string') return { ok: true, root: null, files: [] }
  const resolved = await resolveUnderRoots(roots, input.project_root)
  if (!resolved.ok) return { ok: false, problem: `project_root: ${resolved.problem}` }
  const root = resolved.realPath
  const { file_bytes: fileBytes, prompt_bytes: promptBytes } = skill.limits
  const named = await readNamedFiles(root, textsOf(input, skill.files?.named_in ?? []), fileBytes)
  if (named.problems.length > 0) return { ok: false, problem: named.problems.join('; ') }
  const files = [...named.files]
  let bytes = sizeOf(files)
  if (bytes > promptBytes) {
    return {
      ok: false,
      problem: `the files named are ${bytes} bytes together, more than the ${promptBytes} a task may hold; name fewer`,
    }
  }
  const texts = textsOf(input, skill.files?.mentioned_in ?? [])
  for (const path of texts.flatMap(mentionedPaths)) {
    if (files.some((file) => file.path === path)) continue
    const read = await readProjectFile(root, path, Math.min(fileBytes, promptBytes - bytes))
    if (!read.ok) continue
    files.push({ path, text: read.text })
    bytes = sizeOf(files)
  }
  return { ok: true, root, files }
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

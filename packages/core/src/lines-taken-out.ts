import type { Patch } from './evidence.ts'

/** What a test file may lose when a test is added: the imports change. */
const IMPORT =
  /^(import\b|from\b|use\b|export\b.*\bfrom\b|(const|let|var)\b.*(\brequire|\bimport)\s*\()/

/**
 * The lines that a patch takes out of files that were there before, by path; moved lines, imports and blank lines are not
 * counted. A file that is not text counts as one line.
 */
export function linesTakenOut(patch: Patch): Map<string, string[]> {
  const sections = patch.diff.split(/(?<=^|\n)(?=diff --git )/)
  const changed = patch.files.map((file, i) => ({ file, section: sections[i] ?? '' }))
  return new Map(
    changed.flatMap(({ file, section }) => {
      if (file.status === 'added') return []
      const lines = file.removedLines === null ? ['(not text)'] : lostIn(section)
      return lines.length > 0 ? [[file.path, lines] as const] : []
    }),
  )
}

function lostIn(section: string): string[] {
  const hunks = section.split(/\n(?=@@ )/).slice(1)
  const lines = hunks.flatMap((hunk) => hunk.split('\n').slice(1))
  const withSign = (sign: string) =>
    lines.flatMap((line) => (line.startsWith(sign) ? [line.slice(1).trim()] : []))
  const kept = new Set(withSign('+'))
  return withSign('-').filter((line) => line !== '' && !kept.has(line) && !IMPORT.test(line))
}

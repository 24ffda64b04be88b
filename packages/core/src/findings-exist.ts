import * as z from 'zod'
import type { Check } from './checks.ts'

const findingsSchema = z.object({
  findings: z.array(
    z.object({ file: z.string(), line: z.number(), snippet: z.string().optional() }),
  ),
})

/** A quoted snippet may be off by this many lines: models count badly, but they must not invent code. */
const SNIPPET_REACH_LINES = 3

/** Every finding names an existing file and a line in it, and the quoted snippet stands there. */
export const findingsExist: Check = {
  filesNamed(output) {
    const parsed = findingsSchema.safeParse(output)
    return parsed.success ? parsed.data.findings.map((finding) => finding.file) : []
  },

  problems({ output, linesOf }) {
    const parsed = findingsSchema.safeParse(output)
    if (!parsed.success) return ['findings: must be a list of {file, line, …}']
    return parsed.data.findings.flatMap((finding, index) => {
      const where = `finding ${index + 1}: ${finding.file}`
      const lines = linesOf(finding.file)
      if (lines === null) return [`${where} is not a text file of the project`]
      if (!Number.isInteger(finding.line) || finding.line < 1 || finding.line > lines.length) {
        return [`${where}:${finding.line} is outside the file, which has ${lines.length} lines`]
      }
      if (finding.snippet !== undefined && !standsNear(finding.snippet, finding.line, lines)) {
        return [`${where}:${finding.line} quotes a snippet that is not there`]
      }
      return []
    })
  },
}

function standsNear(snippet: string, line: number, lines: readonly string[]): boolean {
  const wanted = snippet.split('\n').map(withoutSpace).filter(Boolean)
  const from = Math.max(0, line - 1 - SNIPPET_REACH_LINES)
  const to = line + wanted.length + SNIPPET_REACH_LINES
  const there = lines.slice(from, to).map(withoutSpace).join('\n')
  return wanted.length > 0 && wanted.every((part) => there.includes(part))
}

function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '')
}

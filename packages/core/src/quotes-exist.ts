import * as z from 'zod'
import type { Check } from './checks.ts'

const quoteSchema = z.object({ file: z.string(), line: z.number(), snippet: z.string().optional() })
type Quote = z.infer<typeof quoteSchema>

/** A quoted snippet may be off by this many lines: models count badly, but they must not invent code. */
const SNIPPET_REACH_LINES = 3

/**
 * A check that every item of one list in the output names an existing file and a line in it, and that the snippet it
 * quotes stands there.
 * @param list the name of the list in the output
 * @param item what one of its items is called in the problems
 */
export function quotesExist(list: string, item: string): Check {
  const schema = z.object({ [list]: z.array(quoteSchema) })
  const quotesIn = (output: unknown): Quote[] | undefined => schema.safeParse(output).data?.[list]
  return {
    kind: 'proof',

    filesNamed: (output) => quotesIn(output)?.map((quote) => quote.file) ?? [],
    problems({ output, linesOf }) {
      const quotes = quotesIn(output)
      if (quotes === undefined) return [`${list}: must be a list of {file, line, …}`]
      return quotes.flatMap((quote, index) => {
        const problem = problemOf(quote, linesOf(quote.file))
        return problem === null ? [] : [`${item} ${index + 1}: ${problem}`]
      })
    },
  }
}

function problemOf({ file, line, snippet }: Quote, lines: readonly string[] | null): string | null {
  if (lines === null) return `${file} is not a text file of the project`
  if (!Number.isInteger(line) || line < 1 || line > lines.length) {
    return `${file}:${line} is outside the file, which has ${lines.length} lines`
  }
  if (snippet !== undefined && !standsNear(snippet, line, lines)) {
    return `${file}:${line} quotes a snippet that is not there`
  }
  return null
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

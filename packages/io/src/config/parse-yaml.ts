import { ConfigError } from '@hyperguild/core/errors.ts'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import type * as z from 'zod'

/**
 * Reads YAML against a schema; keys the schema does not know are errors when it is strict.
 * @param name the file as messages should call it
 * @throws {ConfigError} with every problem, each as `file:line: key: what`
 */
export function parseYaml<T>(schema: z.ZodType<T>, text: string, name: string): T {
  const lines = new LineCounter()
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (doc.errors.length > 0) {
    throw new ConfigError(
      doc.errors.map((e) => `${name}:${lines.linePos(e.pos[0]).line}: ${e.message}`),
    )
  }
  const parsed = schema.safeParse(doc.toJS() ?? {})
  if (parsed.success) return parsed.data
  throw new ConfigError(
    parsed.error.issues.flatMap((issue) =>
      placesOf(issue).map(({ path, what }) => {
        const line = lines.linePos(offsetOf(doc, path)).line
        return `${name}:${line}: ${path.length > 0 ? `${path.join('.')}: ` : ''}${what}`
      }),
    ),
  )
}

type Path = readonly (string | number)[]

/** Zod reports unknown keys at their parent; people look for the key itself. */
function placesOf(issue: z.core.$ZodIssue): { path: Path; what: string }[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code !== 'unrecognized_keys') return [{ path, what: issue.message }]
  return issue.keys.map((key) => ({ path: [...path, key], what: 'unknown key' }))
}

/** Where a path stands in the text; of a missing key, where its nearest parent stands. */
function offsetOf(doc: Document.Parsed, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node = doc.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Validation } from '@hyperguild/core/json-schema.ts'
import { didYouMean } from '@hyperguild/core/nearest.ts'
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml'
import * as z from 'zod'

type Path = readonly PropertyKey[]

/** YAML as it was written: its value, and where in the file each part of it stands. */
export interface YamlSource {
  /** Undefined when the text is not YAML at all. */
  value: unknown
  /** What is wrong with the text as YAML; a key written twice leaves a value, its last. */
  problems: string[]
  /** `file:line: key: what`. Of a key that is not there, the line is its nearest parent's. */
  problemAt(path: Path, what: string): string
}

/**
 * Reads YAML against a schema; keys the schema does not know are errors when it is strict.
 * @param name the file as messages should call it
 * @throws {ConfigError} with every problem, each as `file:line: key: what`
 */
export function parseYaml<T>(schema: z.ZodType<T>, text: string, name: string): T {
  const checked = checkYaml(schema, readYaml(text, name))
  if (!checked.ok) throw new ConfigError(checked.problems)
  return checked.value
}

/** @param firstLine the line of the file on which the text starts */
export function readYaml(text: string, name: string, firstLine = 1): YamlSource {
  const lines = new LineCounter()
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const place = (offset: number) => `${name}:${lines.linePos(offset).line + firstLine - 1}`
  const problemAt = (path: Path, what: string) =>
    [place(offsetOf(doc, path)), path.map(String).join('.'), what].filter(Boolean).join(': ')

  const twice = doc.errors.filter((error) => error.code === 'DUPLICATE_KEY')
  const broken = [...doc.errors, ...doc.warnings].filter((error) => !twice.includes(error))
  const badYaml = [
    ...broken.map((error) => ({ offset: error.pos[0], what: error.message })),
    ...danglingAliasesIn(doc),
  ]
  return {
    value: badYaml.length > 0 ? undefined : (doc.toJS() ?? {}),
    problems: [
      ...badYaml.map(({ offset, what }) => `${place(offset)}: bad YAML: ${what}`),
      ...twice.map(({ pos }) => {
        const key = keyAt(doc, pos[0])
        return `${place(pos[0])}: ${key}: is written twice; keep one`
      }),
    ],
    problemAt,
  }
}

/** The value in the shape of the schema, or every problem of the source. */
export function checkYaml<T>(schema: z.ZodType<T>, source: YamlSource): Validation<T> {
  if (source.value === undefined) return { ok: false, problems: source.problems }
  const parsed = schema.safeParse(source.value)
  const issues = parsed.error?.issues.flatMap((issue) => placesOf(issue, schema, source)) ?? []
  const problems = inFileOrder([...source.problems, ...issues])
  return parsed.success && problems.length === 0
    ? { ok: true, value: parsed.data }
    : { ok: false, problems }
}

const byFileAndLine = new Intl.Collator('en', { numeric: true })

export function inFileOrder(problems: readonly string[]): string[] {
  return [...new Set(problems)].sort(byFileAndLine.compare)
}

/** Zod reports unknown keys at their parent; people look for the key itself. */
function placesOf(issue: z.core.$ZodIssue, schema: z.ZodType, source: YamlSource): string[] {
  if (issue.code !== 'unrecognized_keys') {
    return [
      source.problemAt(issue.path, messageOf(issue, schema, valueAt(source.value, issue.path))),
    ]
  }
  const owner = unwrap(schemaAt(schema, issue.path))
  const known = owner instanceof z.ZodObject ? Object.keys(owner.shape) : []
  return issue.keys.map((key) =>
    source.problemAt([...issue.path, key], `unknown key${didYouMean(key, known)}`),
  )
}

const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of keys',
  record: 'a group of keys',
}

function messageOf(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): string {
  if (value === undefined) {
    const meaning = schemaAt(schema, issue.path)?.description
    return meaning ? `is missing; write ${meaning}` : 'is missing'
  }
  if (issue.code === 'invalid_type') return `must be ${TYPES[issue.expected] ?? issue.expected}`
  if (issue.code === 'invalid_value') {
    const known = issue.values.map(String)
    return `must be one of ${known.join(', ')}${didYouMean(String(value), known)}`
  }
  return issue.message
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value)
}

function schemaAt(schema: unknown, path: Path): z.ZodType | undefined {
  const inner = unwrap(schema)
  const [key, ...rest] = path
  if (key === undefined) return schema instanceof z.ZodType ? schema : undefined
  if (inner instanceof z.ZodObject) return schemaAt(inner.shape[String(key)], rest)
  if (inner instanceof z.ZodRecord) return schemaAt(inner.valueType, rest)
  if (inner instanceof z.ZodArray) return schemaAt(inner.element, rest)
  return undefined
}

function unwrap(schema: unknown): unknown {
  const isWrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  return isWrapped ? unwrap(schema.unwrap()) : schema
}

/** Where the key of a path stands in the text; of a missing one, where its nearest parent stands. */
function offsetOf(doc: Document.Parsed, path: Path): number {
  let node: unknown = doc.contents
  let offset = 0
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(doc)
    if (isMap(node)) {
      const pair = node.items.findLast(({ key }) => isScalar(key) && key.value === part)
      if (!pair || !isNode(pair.key)) return offset
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      offset = (isNode(node) && node.range?.[0]) || offset
    }
  }
  return offset
}

/** The dotted name of the key that stands at an offset. */
function keyAt(doc: Document.Parsed, offset: number): string {
  let name = ''
  visit(doc, {
    Pair(_, { key }, ancestors) {
      if (!isScalar(key) || key.range?.[0] !== offset) return undefined
      const parents = ancestors.flatMap((node) => ('key' in node ? [String(node.key)] : []))
      name = [...parents, String(key.value)].join('.')
      return visit.BREAK
    },
  })
  return name
}

function danglingAliasesIn(doc: Document.Parsed): { offset: number; what: string }[] {
  const dangling: { offset: number; what: string }[] = []
  visit(doc, {
    Alias(_, alias) {
      if (alias.resolve(doc)) return
      dangling.push({ offset: alias.range?.[0] ?? 0, what: `*${alias.source} stands for nothing` })
    },
  })
  return dangling
}

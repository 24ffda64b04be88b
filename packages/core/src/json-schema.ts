import * as z from 'zod'
import { didYouMean } from './nearest.ts'

/** A JSON Schema 2020-12 object, as skill files write it and MCP clients read it. */
export type JsonSchema = { [keyword: string]: unknown }

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
const count = z.number().int().nonnegative().optional()

/**
 * The keywords a skill file may use: those that zod can check, that every MCP client shows, and that model servers can
 * hold an answer to. A misspelt keyword would otherwise be ignored in silence.
 */
export const jsonSchemaSchema: z.ZodType<JsonSchema> = z
  .strictObject({
    type: z.enum(TYPES).optional(),
    description: z.string().optional(),
    default: z.unknown().optional(),
    enum: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1)
      .optional(),
    get properties() {
      return z.record(z.string(), jsonSchemaSchema).optional()
    },
    required: z.array(z.string()).optional(),
    additionalProperties: z.boolean().optional(),
    get items() {
      return jsonSchemaSchema.optional()
    },
    minItems: count,
    maxItems: count,
    minLength: count,
    maxLength: count,
    pattern: z.string().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
  })
  .superRefine(({ required, properties }, context) => {
    const known = Object.keys(properties ?? {})
    for (const [index, name] of required?.entries() ?? []) {
      if (known.includes(name)) continue
      const message = `${name} is not one of the properties${didYouMean(name, known)}`
      context.addIssue({ code: 'custom', path: ['required', index], message })
    }
  })
  .superRefine(({ properties, items, required, ...own }, context) => {
    try {
      zodFrom(own)
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: `cannot be checked: ${(error as Error).message}`,
      })
    }
  })

export type Validation<T> = { ok: true; value: T } | { ok: false; problems: string[] }

/** Problems are one line each: where, a colon, what it must be. */
export function validate(schema: z.ZodType, value: unknown): Validation<unknown> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, problems: parsed.error.issues.flatMap((one) => linesOf(one, schema, value)) }
}

function linesOf(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): string[] {
  const at = (path: readonly PropertyKey[]) =>
    path.length === 0 ? '' : `${path.map(String).join('.')}: `
  if (issue.code !== 'unrecognized_keys') {
    return [`${at(issue.path)}${wordsFor(issue, valueAt(value, issue.path))}`]
  }
  const isTop = issue.path.length === 0 && schema instanceof z.ZodObject
  const known = isTop ? Object.keys(schema.shape) : []
  return issue.keys.map((key) => `${at([...issue.path, key])}unknown key${didYouMean(key, known)}`)
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
}

function wordsFor(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = TYPE_WORDS[issue.expected] ?? issue.expected
      return value === undefined ? `is missing; give ${wanted}` : `must be ${wanted}`
    }
    case 'invalid_value': {
      const known = issue.values.map(String)
      const missing = value === undefined ? 'is missing; give' : 'must be'
      return `${missing} one of ${known.join(', ')}${didYouMean(String(value), known)}`
    }
    case 'invalid_format':
      return issue.pattern === undefined ? issue.message : `must match ${issue.pattern}`
    default:
      return issue.message
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value)
}

const compiled = new WeakMap<JsonSchema, z.ZodType>()

/**
 * Each schema object is compiled once, which takes longer than the rest of what a step does in this process.
 * @throws {Error} when the schema uses a keyword zod cannot express.
 */
export function zodFrom(schema: JsonSchema): z.ZodType {
  const known = compiled.get(schema)
  if (known) return known
  const made = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  compiled.set(schema, made)
  return made
}

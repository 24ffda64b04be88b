import * as z from 'zod'

/** A JSON Schema 2020-12 object, as skill files write it and MCP clients read it. */
export type JsonSchema = { [keyword: string]: unknown }

export type Validation<T> = { ok: true; value: T } | { ok: false; problems: string[] }

/** Problems are one line each: where, a colon, what. */
export function validate(schema: z.ZodType, value: unknown): Validation<unknown> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, problems: problemsOf(parsed.error) }
}

export function problemsOf(error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const where = issue.path.map(String).join('.')
    return where === '' ? issue.message : `${where}: ${issue.message}`
  })
}

/** @throws {Error} when the schema uses a keyword zod cannot express. */
export function zodFrom(schema: JsonSchema): z.ZodType {
  return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
}

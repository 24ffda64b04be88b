import { jsonCandidates } from '../answer.ts'

export type JsonObject = Record<string, unknown>

/**
 * Parses JSON as models write it: single quotes, trailing commas, a missing brace. Undefined when hopeless.
 * A parameter wherever it is needed, because core depends on no repair library.
 */
export type ParseLoosely = (text: string) => unknown

/** The object in a text: strict readings are tried before loose ones. */
export function looseObject(text: string, parseLoosely: ParseLoosely): JsonObject | undefined {
  const candidates = [text, ...jsonCandidates(text)]
  for (const candidate of candidates) {
    const strict = strictObject(candidate)
    if (strict) return strict
  }
  for (const candidate of candidates) {
    const loose = candidate.includes('{') ? parseLoosely(candidate) : undefined
    if (isObject(loose)) return loose
  }
  return undefined
}

export function strictObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

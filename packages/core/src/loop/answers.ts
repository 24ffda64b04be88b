import { jsonCandidates } from '../answer.ts'
import { type JsonSchema, validate, zodFrom } from '../json-schema.ts'
import { type JsonObject, looseObject, type ParseLoosely } from './loose-json.ts'

export type AnswerReading =
  | { kind: 'answer'; output: JsonObject }
  /** Meant as an answer, for it has properties of one. */
  | { kind: 'invalid'; problems: string[] }
  | { kind: 'none' }

/** The final answer a model wrote as text instead of calling `finish`. */
export function answerIn(
  text: string,
  schema: JsonSchema,
  parseLoosely: ParseLoosely,
): AnswerReading {
  const properties = (schema.properties ?? {}) as JsonObject
  let firstProblems: string[] | null = null
  for (const candidate of jsonCandidates(text)) {
    const object = looseObject(candidate, parseLoosely)
    if (!object || !Object.keys(object).some((key) => Object.hasOwn(properties, key))) continue
    const validation = validate(zodFrom(schema), object)
    if (validation.ok) return { kind: 'answer', output: validation.value as JsonObject }
    firstProblems ??= validation.problems
  }
  return firstProblems ? { kind: 'invalid', problems: firstProblems } : { kind: 'none' }
}

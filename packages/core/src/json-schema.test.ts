import { expect, test } from 'vitest'
import { type JsonSchema, jsonSchemaSchema, validate, zodFrom } from './json-schema.ts'

const CALL: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['root', 'files', 'deep'],
  properties: {
    root: { type: 'string', minLength: 1, pattern: '^/' },
    files: { type: 'array', minItems: 1, items: { type: 'string' } },
    limit: { type: 'integer' },
    mode: { type: 'string', enum: ['fast', 'careful'] },
    apply: { type: 'boolean' },
    deep: {
      type: 'object',
      additionalProperties: false,
      properties: { ratio: { type: 'number' } },
    },
  },
}
const GOOD = { root: '/a', files: ['b'], deep: {} }

test('a value of the right shape is passed on', () => {
  expect(validate(zodFrom(CALL), GOOD)).toEqual({ ok: true, value: GOOD })
})

test.each([
  ['a missing value', { files: undefined }, 'files: is missing; give an array'],
  ['a value of another type', { files: 'b' }, 'files: must be an array'],
  ['an item of another type', { files: ['b', 2] }, 'files.1: must be a string'],
  ['a fraction for a whole number', { limit: 1.5 }, 'limit: must be a whole number'],
  ['a word for true or false', { apply: 'yes' }, 'apply: must be true or false'],
  ['nothing where an object belongs', { deep: null }, 'deep: must be an object'],
  [
    'a word of no list',
    { mode: 'carefull' },
    'mode: must be one of fast, careful; did you mean careful?',
  ],
  ['a text of another form', { root: 'a' }, 'root: must match /^\\//'],
  ['a misspelt key', { fils: ['b'] }, 'fils: unknown key; did you mean files?'],
  ['an unknown key', { colour: 1 }, 'colour: unknown key'],
  ['an unknown key further in', { deep: { rato: 1 } }, 'deep.rato: unknown key'],
])('%s is told with its place and what must be there', (_, change, problem) => {
  const problems = [problem]
  expect(validate(zodFrom(CALL), { ...GOOD, ...change })).toEqual({ ok: false, problems })
})

test('every problem is told', () => {
  expect(validate(zodFrom(CALL), { root: 1, deep: {} })).toEqual({
    ok: false,
    problems: ['root: must be a string', 'files: is missing; give an array'],
  })
  const choice = { type: 'object', required: ['mode'], properties: { mode: { enum: ['a', 'b'] } } }
  const problems = ['mode: is missing; give one of a, b']
  expect(validate(zodFrom(choice), {})).toEqual({ ok: false, problems })
  expect(validate(zodFrom(CALL), 'a')).toEqual({ ok: false, problems: ['must be an object'] })
})

test.each([
  ['a misspelt keyword', { type: 'string', minLenght: 1 }],
  ['a requirement that is no property', { type: 'object', required: ['a'], properties: {} }],
  ['a pattern that is none', { type: 'string', pattern: '(' }],
])('a schema with %s is refused', (_, schema) => {
  expect(jsonSchemaSchema.safeParse(schema).success).toBe(false)
})

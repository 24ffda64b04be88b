import { describe, expect, test } from 'vitest'
import { askFor, jsonCandidates, withoutThinking } from './answer.ts'

/** The first candidate that is JSON, as a reader of answers takes it. */
function firstParsed(text: string): unknown {
  for (const candidate of jsonCandidates(text)) {
    try {
      return JSON.parse(candidate)
    } catch {
      // The next candidate may be JSON.
    }
  }
  return undefined
}

describe('the JSON in an answer is found', () => {
  test.each([
    ['on its own', '{"a": 1}'],
    ['in a fence', 'Here it is:\n```json\n{"a": 1}\n```\nDone.'],
    ['in a fence without a language', '```\n{"a": 1}\n```'],
    ['within prose', 'I think {"a": 1} is right.'],
    ['after thinking', '<think>{"a": 2}</think>{"a": 1}'],
    ['in the last of several fences', '```json\n{"a": 2}\n```\nno:\n```json\n{"a": 1}\n```'],
    ['as the last of several objects', 'first {"a": 2}, better {"a": 1}'],
  ])('%s', (_where, text) => {
    expect(firstParsed(text)).toEqual({ a: 1 })
  })

  test('with braces and quotes inside strings', () => {
    const answer = { a: 'if (x) { y("}") }', b: { c: '\\"{' } }
    expect(firstParsed(`So: ${JSON.stringify(answer)} - that is all.`)).toEqual(answer)
  })
})

test('an object that never closes is not a candidate of its own', () => {
  expect(jsonCandidates('see {"a": 1')).toEqual(['see {"a": 1'])
  expect(jsonCandidates('see {"a": 1} and {"b":')).toEqual(['see {"a": 1} and {"b":', '{"a": 1}'])
})

test('an empty answer has no candidates', () => {
  expect(jsonCandidates(' \n')).toEqual([])
  expect(jsonCandidates('<think>only thoughts, never')).toEqual([])
})

test('thoughts are dropped, also those that never end', () => {
  expect(withoutThinking('<think>a</think>b<think>c</think>d')).toBe('bd')
  expect(withoutThinking('b<think>c')).toBe('b')
})

test('the sentence that asks for an answer holds the schema as JSON', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } }
  expect(askFor(schema)).toContain(JSON.stringify(schema))
})

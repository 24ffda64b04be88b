import { expect, test } from 'vitest'
import { callInputOf, splitInput } from './call-inputs.ts'

const input = {
  type: 'object',
  required: ['file'],
  additionalProperties: false,
  properties: { file: { type: 'string' } },
}

test('a skill that runs as a job can be given a waiting time and a name', () => {
  const schema = callInputOf({ kind: 'answer', input })
  expect(Object.keys(schema.properties as object)).toEqual(['file', 'wait_seconds', 'request_id'])
  expect(schema).toMatchObject({ required: ['file'], additionalProperties: false })
  expect(callInputOf({ kind: 'edit', input })).toBe(schema)
})

test('a lookup cannot', () => {
  expect(callInputOf({ kind: 'lookup', input })).toBe(input)
})

test('what steers the call is taken from what the job is about', () => {
  expect(splitInput({ file: 'a', wait_seconds: 3, request_id: 'mine' })).toEqual({
    input: { file: 'a' },
    waitSeconds: 3,
    requestId: 'mine',
  })
  expect(splitInput({ file: 'a' })).toEqual({
    input: { file: 'a' },
    waitSeconds: undefined,
    requestId: undefined,
  })
})

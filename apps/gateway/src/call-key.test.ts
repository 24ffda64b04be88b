import { expect, test } from 'vitest'
import { type CallIdentity, callKeyOf } from './call-key.ts'

const call: CallIdentity = {
  principal: 'ann',
  tool: 'review',
  input: { files: ['a.js', 'b.js'], options: { deep: true, fast: false } },
  requestId: undefined,
}

test('calls that ask for the same have the same key, however their properties are ordered', () => {
  const input = { options: { fast: false, deep: true }, files: ['a.js', 'b.js'] }
  expect(callKeyOf({ ...call, input })).toBe(callKeyOf(call))
})

test.each<[string, Partial<CallIdentity>]>([
  ['another principal', { principal: 'bob' }],
  ['another tool', { tool: 'debug' }],
  ['another order of a list', { input: { ...call.input, files: ['b.js', 'a.js'] } }],
  ['another value', { input: { ...call.input, files: ['a.js'] } }],
  ['one property more', { input: { ...call.input, context: '' } }],
  ['a name of its own', { requestId: 'mine' }],
])('%s makes another key', (_, change) => {
  expect(callKeyOf({ ...call, ...change })).not.toBe(callKeyOf(call))
})

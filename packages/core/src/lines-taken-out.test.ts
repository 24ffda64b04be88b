import { expect, it } from 'vitest'
import type { Patch, PatchFile } from './evidence.ts'
import { linesTakenOut } from './lines-taken-out.ts'

const file = (path: string, more: Partial<PatchFile> = {}): PatchFile => ({
  path,
  status: 'modified',
  addedLines: 1,
  removedLines: 1,
  baseBlob: 'a',
  newBlob: 'b',
  baseMode: '100644',
  newMode: '100644',
  ...more,
})

const section = (path: string, ...lines: string[]) =>
  [
    `diff --git a/${path} b/${path}`,
    `--- a/${path}`,
    `+++ b/${path}`,
    '@@ -1,9 +1,9 @@',
    ...lines,
    '',
  ].join('\n')

function takenOut(files: readonly PatchFile[], ...sections: string[]) {
  const patch: Patch = { baseCommit: 'c', diff: sections.join(''), files }
  return Object.fromEntries(linesTakenOut(patch))
}

it('tells the lines each file loses, and nothing of the headers', () => {
  const a = section('a.test.js', " test('one')", "-test('two')", "+test('three')")
  const b = section('b.test.js', '--- not a header', '+++ nor this')
  expect(takenOut([file('a.test.js'), file('b.test.js')], a, b)).toEqual({
    'a.test.js': ["test('two')"],
    'b.test.js': ['-- not a header'],
  })
})

it.each([
  ["import { a } from '../a.js'"],
  ["const { a } = require('./a')"],
  ['from a import b'],
  ['use crate::a;'],
  ["  test('moved and indented anew')"],
  [''],
])('does not mind that this line is replaced: %s', (line) => {
  const text = section('a.test.js', `-${line}`, '+other', "+test('moved and indented anew')")
  expect(takenOut([file('a.test.js')], text)).toEqual({})
})

it('counts a file that is no text, and not one that is new', () => {
  const binary = file('a.bin', { addedLines: null, removedLines: null })
  const added = file('new.test.js', { status: 'added', baseBlob: null, baseMode: null })
  expect(
    takenOut([binary, added], 'diff --git a/a.bin b/a.bin\n', section('new.test.js', '+x')),
  ).toEqual({ 'a.bin': ['(not text)'] })
})

import { describe, expect, test } from 'vitest'
import { CHECKS, type CheckContext } from './checks.ts'

const project: Record<string, string[]> = {
  'src/sum.ts': [
    'export function sum(xs: number[]) {',
    '  let total = 1',
    '  for (const x of xs) total += x',
    '  return total',
    '}',
    '',
    'export const far = "away"',
    'export const farther = "still"',
  ],
}

function contextOf(output: Record<string, unknown>): CheckContext {
  const linesOf = (path: string) => project[path] ?? null
  return { input: {}, output, linesOf, patch: null, before: null, after: null }
}

const problemsOf = (...findings: unknown[]) =>
  CHECKS.findings_exist.problems(contextOf({ findings }))

describe('findings_exist', () => {
  test('a finding whose file, line and snippet are there has no problem', () => {
    expect(problemsOf({ file: 'src/sum.ts', line: 2, snippet: 'let total = 1' })).toEqual([])
  })

  test('an empty list has no problem', () => {
    expect(problemsOf()).toEqual([])
  })

  test('a file that is not there is a problem', () => {
    expect(problemsOf({ file: 'src/gone.ts', line: 1 })).toEqual([
      'finding 1: src/gone.ts is not a text file of the project',
    ])
  })

  test.each([0, -1, 9, 1.5])('line %d is outside a file of 8 lines', (line) => {
    expect(problemsOf({ file: 'src/sum.ts', line })).toEqual([
      `finding 1: src/sum.ts:${line} is outside the file, which has 8 lines`,
    ])
  })

  test('the first and the last line are inside', () => {
    expect(problemsOf({ file: 'src/sum.ts', line: 1 }, { file: 'src/sum.ts', line: 8 })).toEqual([])
  })

  test('an invented snippet is a problem', () => {
    expect(problemsOf({ file: 'src/sum.ts', line: 2, snippet: 'let total = 2' })).toEqual([
      'finding 1: src/sum.ts:2 quotes a snippet that is not there',
    ])
  })

  test('a snippet of blanks proves nothing', () => {
    expect(problemsOf({ file: 'src/sum.ts', line: 2, snippet: ' \n ' })).toHaveLength(1)
  })

  test('a snippet may be three lines off, but not more', () => {
    const snippet = 'export const far = "away"'
    expect(problemsOf({ file: 'src/sum.ts', line: 4, snippet })).toEqual([])
    expect(problemsOf({ file: 'src/sum.ts', line: 2, snippet })).toHaveLength(1)
  })

  test('spacing and line breaks in a snippet do not matter', () => {
    const snippet = 'let  total=1\n\nfor (const x of xs)   total += x'
    expect(problemsOf({ file: 'src/sum.ts', line: 2, snippet })).toEqual([])
  })

  test('every item is looked at, and each problem says which', () => {
    const good = { file: 'src/sum.ts', line: 1 }
    expect(problemsOf({ file: 'a', line: 1 }, good, { file: 'b', line: 1 })).toEqual([
      'finding 1: a is not a text file of the project',
      'finding 3: b is not a text file of the project',
    ])
  })

  test('an output without the list is a problem, and names no files', () => {
    expect(CHECKS.findings_exist.problems(contextOf({}))).toEqual([
      'findings: must be a list of {file, line, …}',
    ])
    expect(CHECKS.findings_exist.filesNamed?.({ findings: 'none' })).toEqual([])
  })

  test('the files it wants to look into are the ones the findings name', () => {
    const findings = [
      { file: 'a', line: 1 },
      { file: 'b', line: 2 },
    ]
    expect(CHECKS.findings_exist.filesNamed?.({ findings })).toEqual(['a', 'b'])
  })
})

test('evidence_exists looks at the evidence in the same way', () => {
  const evidence = [
    { file: 'src/sum.ts', line: 2, snippet: 'let total = 1', why: 'starts at 1' },
    { file: 'src/sum.ts', line: 4, snippet: 'return 0', why: 'invented' },
  ]
  expect(CHECKS.evidence_exists.filesNamed?.({ evidence })).toEqual(['src/sum.ts', 'src/sum.ts'])
  expect(CHECKS.evidence_exists.problems(contextOf({ evidence }))).toEqual([
    'evidence 2: src/sum.ts:4 quotes a snippet that is not there',
  ])
})

import { describe, expect, it } from 'vitest'
import type { Patch, TestCase, TestReport, TestRun } from './evidence.ts'
import { greenProblems, redProblems, refactorProblems } from './test-proof.ts'

const FILE = 'test/sum.test.js'

const isFailed = ({ status }: TestCase) => status === 'failed'

/** Tests as `+name` passed, `-name` failed, `~name` skipped; `file!message` for a file that could not be loaded. */
function report(
  lines: readonly string[],
  more: Partial<TestReport> & { file?: string | null } = {},
): TestReport {
  const file = more.file === undefined ? FILE : more.file
  const statuses = { '+': 'passed', '-': 'failed', '~': 'skipped' } as const
  const tests = lines.flatMap((line): TestCase[] => {
    const status: TestCase['status'] | undefined = statuses[line[0] as keyof typeof statuses]
    if (status === undefined) return []
    return [{ name: line.slice(1), file, status, failure: status === 'failed' ? '4 == 5' : null }]
  })
  const loadErrors = lines
    .filter((line) => !/^[+~-]/.test(line))
    .map((line) => ({ file: line.split('!')[0]!, message: line.slice(line.indexOf('!') + 1) }))
  return { runner: more.runner ?? 'node:test', tests, loadErrors }
}

function run(report: TestReport | null, more: Partial<TestRun> = {}): TestRun {
  const isBad = report !== null && (report.loadErrors.length > 0 || report.tests.some(isFailed))
  return {
    command: 'npm test',
    exitCode: isBad ? 1 : 0,
    timedOut: false,
    durationMs: 5,
    output: '',
    report,
    sandbox: 'bubblewrap',
    ...more,
  }
}

function patchOf(...paths: string[]): Patch {
  const blank = {
    addedLines: 1,
    removedLines: 0,
    baseBlob: null,
    newBlob: null,
    baseMode: null,
    newMode: null,
  }
  return {
    baseCommit: 'b',
    diff: '',
    files: paths.map((path) => ({ path, status: 'added', ...blank })),
  }
}

const patch = patchOf(FILE)
const red = (before: readonly string[], after: readonly string[], more = {}) =>
  redProblems({ before: run(report(before, more)), after: run(report(after, more)), patch })
const green = (before: readonly string[], after: readonly string[], more = {}) =>
  greenProblems({
    before: run(report(before, more)),
    after: run(report(after, more)),
    patch: patchOf('sum.js'),
    testPath: FILE,
  })
const refactor = (before: readonly string[], after: readonly string[]) =>
  refactorProblems({
    before: run(report(before)),
    after: run(report(after)),
    patch: patchOf('sum.js'),
  })

describe('red', () => {
  it('is proved by a new test that fails while the others still pass', () => {
    expect(red(['+adds'], ['+adds', '-subtracts'])).toEqual([])
  })

  it.each([
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'subtract.js' imported from test/sum.test.js",
    "SyntaxError: The requested module '../sum.js' does not provide an export named 'subtract'",
    "Cannot find module './subtract' from 'test/sum.test.js'",
    "ModuleNotFoundError: No module named 'subtract'",
    "ImportError: cannot import name 'subtract' from 'sum'",
    './sum_test.go:8:9: undefined: Subtract',
    'error[E0425]: cannot find function `sub` in crate `cg`',
  ])('is proved by a test file that cannot find what it tests: %s', (message) => {
    expect(red(['+adds'], [`${FILE}!${message}`])).toEqual([])
  })

  it('is proved in a compiled language although the file that does not compile hides all other tests', () => {
    const go = { runner: 'go test', file: null }
    expect(red(['+adds', '+other'], [`${FILE}!undefined: Subtract`], go)).toEqual([])
  })

  it.each([
    ["SyntaxError: Unexpected token ';'", 'a syntax error in the test'],
    [
      "Cannot find package 'chai' imported from test/sum.test.js",
      'a package that is not installed',
    ],
    ["Cannot find module 'chai'\nRequire stack:", 'a required package that is not installed'],
    ['Error: top level', 'an error of its own'],
  ])('is not proved by a file that cannot be loaded for another reason: %s (%s)', (message) => {
    expect(red([], [`${FILE}!${message}`])).toEqual([
      expect.stringContaining('could not be loaded'),
    ])
  })

  it('is not proved by a file that cannot be loaded and lost lines that may have been tests', () => {
    const path = FILE
    const diff = `diff --git a/${path} b/${path}\n@@ -1,2 +1,2 @@\n-test('adds', () => {})\n+test('new', () => {})\n`
    const files = patch.files.map((file) => ({ ...file, status: 'modified' as const }))
    const proof = {
      before: run(report(['+adds'])),
      after: run(report([`${FILE}!Cannot find module './subtract'`])),
    }
    const problem = `${FILE} cannot be run yet, so it must keep what it held; put back: test('adds', () => {})`
    expect(redProblems({ ...proof, patch: { ...patch, diff, files } })).toEqual([problem])
    const kept = diff.replace("-test('adds'", " test('adds'")
    expect(redProblems({ ...proof, patch: { ...patch, diff: kept, files } })).toEqual([])
  })

  it('is not proved by a file that the patch did not touch', () => {
    const elsewhere = 'test/other.test.js!Cannot find module'
    expect(red(['+adds'], ['+adds', elsewhere])).toEqual([
      expect.stringContaining('test/other.test.js could not be loaded'),
    ])
  })

  it('is not proved when the command still passes', () => {
    expect(red(['+adds'], ['+adds', '+subtracts'])).toEqual([
      expect.stringContaining('still passes'),
    ])
  })

  it('is not proved by a failure that was there before', () => {
    expect(red(['+adds', '-old'], ['+adds', '-old'])).toEqual([
      expect.stringContaining('No new test fails'),
    ])
  })

  it('is not proved when a test that passed fails now, is skipped or is gone', () => {
    expect(red(['+a', '+b', '+c'], ['-a', '~b', '-new'])).toEqual([
      'The test "a" passed before and is failed now.',
      'The test "b" passed before and is skipped now.',
      'The test "c" passed before and is gone now.',
    ])
  })

  it('is proved in a project that had no tests and so no report, but only by its own files', () => {
    const before = run(null, { exitCode: 1 })
    const after = run(report(['-subtracts']))
    expect(redProblems({ before, after, patch })).toEqual([])
    expect(redProblems({ before, after, patch: patchOf('other.test.js') })).toEqual([
      expect.stringContaining('No new test fails'),
    ])
  })
})

describe('green', () => {
  it('is proved when the failing test of the named file passes and nothing is lost', () => {
    expect(green(['+adds', '-subtracts'], ['+adds', '+subtracts'])).toEqual([])
  })

  it('is proved when the named file could not be loaded and its tests pass now', () => {
    expect(green([`${FILE}!Cannot find module`], ['+adds'])).toEqual([])
    expect(
      green([`${FILE}!undefined: Subtract`], ['+adds'], { runner: 'go test', file: null }),
    ).toEqual([])
  })

  it('is not proved while the command fails, and says which tests do', () => {
    expect(green(['-subtracts'], ['-subtracts'])).toEqual([
      'The test command fails with exit code 1.',
      'The test "subtracts" fails: 4 == 5',
      expect.stringContaining('not seen passing now'),
    ])
  })

  it('is not proved by an exit code when process.exit(0) made the tests disappear', () => {
    const before = run(report(['+adds', '-subtracts']))
    const after = run(report([]))
    expect(greenProblems({ before, after, patch, testPath: FILE })).toEqual([
      'The test "adds" passed before and is gone now.',
      'The test "subtracts" failed before and is not seen passing now.',
    ])
  })

  it('is not proved when the test was not seen failing before', () => {
    expect(green(['+adds'], ['+adds'])).toEqual([
      expect.stringContaining('not seen failing before'),
    ])
    const elsewhere = report(['-subtracts'], { file: 'test/other.test.js' })
    const after = run(report(['+subtracts'], { file: 'test/other.test.js' }))
    expect(greenProblems({ before: run(elsewhere), after, patch, testPath: FILE })).toEqual([
      expect.stringContaining('not seen failing before'),
    ])
  })

  it('is not proved when the failing test is skipped or gone instead of passing', () => {
    const expected = [
      'Only 1 tests ran, 2 before.',
      'The test "subtracts" failed before and is not seen passing now.',
    ]
    expect(green(['+adds', '-subtracts'], ['+adds', '~subtracts'])).toEqual(expected)
    expect(green(['+adds', '-subtracts'], ['+adds'])).toEqual(expected)
  })

  it('is not proved when the named file could not be loaded before and has no tests now', () => {
    expect(green(['+x', `${FILE}!Cannot find module`], ['+x'])).toEqual([
      expect.stringContaining('no test of it is seen passing'),
    ])
  })

  it('is not proved without a report, and names the runners that have one', () => {
    const problems = greenProblems({ before: run(report(['-a'])), after: run(null), patch })
    expect(problems).toEqual([expect.stringMatching(/after the change.*pytest/)])
  })

  it('is not proved when the command was stopped, and says why', () => {
    const after = run(null, {
      exitCode: null,
      timedOut: true,
      output: 'x\n[stopped: 5 s are over]\n',
    })
    expect(greenProblems({ before: run(report(['-a'])), after, patch })).toEqual([
      expect.stringMatching(/stopped because it took too long.*5 s are over/),
    ])
  })

  it('accepts the longer path a runner may print', () => {
    const before = run(report(['-a'], { file: `packages/x/${FILE}` }))
    const after = run(report(['+a'], { file: `packages/x/${FILE}` }))
    expect(greenProblems({ before, after, patch, testPath: `./${FILE}` })).toEqual([])
  })
})

describe('refactor', () => {
  it('is proved when the same tests pass before and after', () => {
    expect(refactor(['+a', '+b', '~c'], ['+b', '+a', '~c'])).toEqual([])
  })

  it('is not proved when a test is lost, skipped or fails', () => {
    expect(refactor(['+a', '+b'], ['+a'])).toEqual(['The test "b" passed before and is gone now.'])
    expect(refactor(['+a', '+b'], ['+a', '~b'])).toHaveLength(1)
    expect(refactor(['+a'], ['-a'])).toContain('The test command fails with exit code 1.')
  })

  it('is not proved when fewer tests ran under the same names', () => {
    expect(refactor(['+a', '+a'], ['+a'])).toEqual(['Only 1 tests ran, 2 before.'])
  })

  it('is not proved when the tests failed before, or there were none', () => {
    expect(refactor(['-a'], ['+a'])).toEqual([expect.stringContaining('failed before')])
    expect(refactor([], [])).toEqual([expect.stringContaining('No test ran')])
  })

  it('lists only the first of many lost tests', () => {
    const many = Array.from({ length: 40 }, (_, n) => `+${n}`)
    const problems = refactor(many, ['+0'])
    expect(problems).toHaveLength(13)
    expect(problems.at(-1)).toContain('27 more')
  })
})

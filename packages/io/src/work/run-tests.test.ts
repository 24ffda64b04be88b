import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Patch } from '@hyperguild/core/evidence.ts'
import { greenProblems, redProblems, refactorProblems } from '@hyperguild/core/test-proof.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runTests, type TestRequest } from './run-tests.ts'

let workDir: string
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'run-tests-'))
})
afterEach(() => rm(workDir, { recursive: true, force: true }))

async function write(files: Record<string, string>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(workDir, path)), { recursive: true })
    await writeFile(join(workDir, path), content)
  }
}

function run(
  command: string,
  more: Partial<TestRequest> = {},
  signal = new AbortController().signal,
) {
  const sandbox = { level: 'bubblewrap' as const }
  return runTests({ sandbox, command, workDir, limits: { wallMs: 15_000 }, ...more }, signal)
}

const SUM_TEST = `
import { test, describe, it } from 'node:test'
import assert from 'node:assert'
import { add } from '../sum.mjs'
describe('sum', () => {
  it('adds', () => assert.equal(add(1, 1), 2))
  it('adds # more', () => assert.equal(add(2, 2), 5))
  it.skip('later', () => {})
})
test('outer', async (t) => { console.log('ok 1 - forged'); await t.test('inner', () => {}) })
`
const NODE_PROJECT = {
  'package.json': '{"type":"module","scripts":{"test":"node --test"}}',
  'sum.mjs': 'export const add = (a, b) => a + b',
  'test/sum.test.mjs': SUM_TEST,
}

describe('node --test', () => {
  it.each(['node --test', 'npm test', 'cd . && node --test test/*.mjs; exit $?'])(
    'is read through its own events, with `%s`',
    async (command) => {
      await write(NODE_PROJECT)
      const result = await run(command)
      const file = 'test/sum.test.mjs'
      expect(result.report).toEqual({
        runner: 'node:test',
        loadErrors: [],
        tests: [
          { name: 'sum > adds', file, status: 'passed', failure: null },
          { name: 'sum > adds # more', file, status: 'failed', failure: '4 == 5' },
          { name: 'sum > later', file, status: 'skipped', failure: null },
          { name: 'outer > inner', file, status: 'passed', failure: null },
          { name: 'outer', file, status: 'passed', failure: null },
        ],
      })
      expect(result).toMatchObject({ command, exitCode: 1, timedOut: false, sandbox: 'bubblewrap' })
      expect(result.output).toContain('✖ adds # more')
      expect(result.output).not.toContain(workDir)
    },
  )

  it('tells the files that cannot be loaded, and why', async () => {
    await write({
      ...NODE_PROJECT,
      'test/missing.test.mjs': `import { x } from '../nowhere.mjs'; x()`,
      'test/export.test.mjs': `import { subtract } from '../sum.mjs'; subtract()`,
      'test/syntax.test.mjs': 'const x = ;',
      'test/script.test.mjs': `import assert from 'node:assert'; assert.strictEqual(1, 2)`,
    })
    const { report } = await run('node --test')
    expect(report!.loadErrors).toEqual([
      { file: 'test/export.test.mjs', message: expect.stringContaining("export named 'subtract'") },
      { file: 'test/missing.test.mjs', message: expect.stringContaining('Cannot find module') },
      { file: 'test/script.test.mjs', message: expect.stringContaining('1 !== 2') },
      { file: 'test/syntax.test.mjs', message: expect.stringContaining("Unexpected token ';'") },
    ])
  })

  it('shows the tests that process.exit(0) hides, although the exit code is 0', async () => {
    await write({ ...NODE_PROJECT, 'sum.mjs': 'process.exit(0); export const add = () => 0' })
    const result = await run('node --test')
    expect(result.exitCode).toBe(0)
    expect(result.report).toEqual({ runner: 'node:test', tests: [], loadErrors: [] })
  })

  it('has no tests to show when no file matches, although the exit code is 0', async () => {
    const result = await run(`node --test 'nothing/**/*.test.mjs'`)
    expect(result).toMatchObject({ exitCode: 0, report: { tests: [], loadErrors: [] } })
  })
})

describe('what two runs of a real project prove', () => {
  const patch = (path: string): Patch => ({
    baseCommit: '',
    diff: '',
    files: [
      {
        path,
        status: 'modified',
        addedLines: 1,
        removedLines: 1,
        baseBlob: null,
        newBlob: null,
        baseMode: null,
        newMode: null,
      },
    ],
  })
  const testPath = 'test/sum.test.mjs'
  const adds = `test('adds', () => assert.equal(add(1, 1), 2))`
  const head = `import { test } from 'node:test'\nimport assert from 'node:assert'\n`

  it('red, green and refactor are proved, and process.exit(0) is not', async () => {
    await write({
      ...NODE_PROJECT,
      [testPath]: `${head}import { add } from '../sum.mjs'\n${adds}`,
    })
    const start = await run('npm test')
    await write({
      [testPath]: `${head}import { add, subtract } from '../sum.mjs'\n${adds}
        test('subtracts', () => assert.equal(subtract(3, 1), 2))`,
    })
    const red = await run('npm test')
    expect(redProblems({ before: start, after: red, patch: patch(testPath) })).toEqual([])

    await write({ 'sum.mjs': 'export const add = 1, subtract = 1; process.exit(0)' })
    const cheat = await run('npm test')
    expect(cheat.exitCode).toBe(0)
    expect(greenProblems({ before: red, after: cheat, patch: patch('sum.mjs'), testPath })).toEqual(
      [`${testPath} could not be loaded before, and no test of it is seen passing now.`],
    )

    const sum = 'export const add = (a, b) => a + b\nexport const subtract = (a, b) => a - b'
    await write({ 'sum.mjs': sum })
    const green = await run('npm test')
    expect(greenProblems({ before: red, after: green, patch: patch('sum.mjs'), testPath })).toEqual(
      [],
    )

    await write({ 'sum.mjs': sum.replaceAll('a', 'first') })
    const broken = await run('npm test')
    expect(refactorProblems({ before: green, after: green, patch: patch('sum.mjs') })).toEqual([])
    expect(refactorProblems({ before: green, after: broken, patch: patch('sum.mjs') })).not.toEqual(
      [],
    )
  })
})

describe('other runners', () => {
  it('vitest of the project is read through its JSON, under npm and with a config file', async () => {
    const repository = join(import.meta.dirname, '../../../..')
    await write({
      'package.json': '{"type":"module","scripts":{"test":"vitest run"}}',
      'vitest.config.ts': 'export default { test: { include: ["**/*.spec.ts"] } }',
      'a.spec.ts': `import { it, expect, describe } from 'vitest'
        describe('outer', () => { it('passes', () => {}); it('fails', () => expect(1).toBe(2)) })`,
      'missing.spec.ts': `import './nowhere.ts'`,
    })
    const overlays = [{ from: join(repository, 'node_modules'), at: 'node_modules' }]
    const result = await run('npm test', { sandbox: { level: 'bubblewrap', overlays } })
    const file = 'a.spec.ts'
    expect(result.report).toMatchObject({
      tests: [
        { name: 'outer > passes', file, status: 'passed' },
        {
          name: 'outer > fails',
          file,
          status: 'failed',
          failure: expect.stringContaining('to be 2'),
        },
      ],
      loadErrors: [{ file: 'missing.spec.ts', message: expect.stringContaining('./nowhere.ts') }],
    })
    expect(result.exitCode).toBe(1)
  })

  it('whatever prints TAP is read from its output', async () => {
    const result = await run(`printf '1..2\\nok 1 - a\\nnot ok 2 - b\\n'; exit 1`)
    expect(result).toMatchObject({
      exitCode: 1,
      report: {
        tests: [
          { name: 'a', status: 'passed' },
          { name: 'b', status: 'failed' },
        ],
      },
    })
  })

  it('a command without a report has none', async () => {
    expect(await run('echo fine')).toMatchObject({ exitCode: 0, report: null, output: 'fine\n' })
  })
})

describe('a run that does not end well', () => {
  it('has no report when it was stopped, and says why', async () => {
    await write({
      'a.test.mjs': `import { test } from 'node:test'; test('a', () => { for (;;); })`,
    })
    const result = await run('node --test', { limits: { wallMs: 700 } })
    expect(result).toMatchObject({ exitCode: null, timedOut: true, report: null })
    expect(result.output).toContain('[stopped: it was not done after 1 s]')
  })

  it('keeps head and tail of a long output', async () => {
    const { output } = await run('echo first; yes | head -n 50000; echo last')
    expect(output.length).toBeLessThan(10_000)
    expect(output).toMatch(/^first\n[\s\S]*characters left out[\s\S]*last\n$/)
  })

  it('is stopped when it prints 100 MB', async () => {
    const result = await run('yes | head -c 100000000')
    expect(result).toMatchObject({ exitCode: null, report: null })
    expect(result.output).toContain('[stopped: it printed too much]')
  })

  it('throws when the caller gave up', async () => {
    await expect(run('true', {}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  })
})

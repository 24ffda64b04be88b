import { describe, expect, it } from 'vitest'
import { CHECKS, type CheckContext } from './checks.ts'
import type { Patch, PatchFile } from './evidence.ts'
import { patchProblems } from './patch-policy.ts'
import { isTestFile } from './test-files.ts'

function fileAt(path: string, changes: Partial<PatchFile> = {}): PatchFile {
  return {
    path,
    status: 'modified',
    addedLines: 1,
    removedLines: 1,
    baseBlob: 'a'.repeat(40),
    newBlob: 'b'.repeat(40),
    baseMode: '100644',
    newMode: '100644',
    ...changes,
  }
}

function patchOf(files: PatchFile[], diff = 'diff --git a/x b/x\n+good\n'): Patch {
  return { baseCommit: 'c'.repeat(40), diff, files }
}

function contextOf(paths: string[], input: Record<string, unknown> = {}): CheckContext {
  const patch = patchOf(paths.map((path) => fileAt(path)))
  return { input, output: {}, linesOf: () => null, patch, before: null, after: null }
}

describe('the patch policy', () => {
  it.each([
    'src/cart.ts',
    'README.md',
    'docs/github/notes.md',
    'src/git.ts',
    'lib/package.json.ts',
  ])('lets a change of %s pass', (path) =>
    expect(patchProblems(patchOf([fileAt(path)]))).toEqual([]),
  )

  it.each([
    '.git/config',
    'sub/.GIT/hooks/pre-commit',
    '.gitattributes',
    '.gitmodules',
    '.gitignore',
    '.github/workflows/ci.yml',
    '.gitea/workflows/deploy.yaml',
    '.gitlab-ci.yml',
    '.circleci/config.yml',
    '.ci/run.sh',
    'Jenkinsfile',
    'CLAUDE.md',
    'packages/a/AGENTS.md',
    '.claude/settings.json',
    '.mcp.json',
    '.cursor/mcp.json',
    '.cursorrules',
    '.vscode/tasks.json',
    '.idea/workspace.xml',
    '.husky/pre-commit',
    '.npmrc',
    '.envrc',
    'package-lock.json',
    'go.sum',
    'crates/x/Cargo.lock',
    'package.json',
    'packages/a/package.json',
    'pyproject.toml',
    'Makefile',
  ])('refuses a change of %s', (path) => {
    const problems = patchProblems(patchOf([fileAt(path)]))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(`${path} is protected`)
  })

  it('lets a protected file pass that the call names, and nothing in .git ever', () => {
    const check = CHECKS.patch_policy
    expect(check.problems(contextOf(['package.json'], { impl_path: './package.json' }))).toEqual([])
    expect(check.problems(contextOf(['package.json'], { files: ['package.json'] }))).toEqual([])
    expect(check.problems(contextOf(['.git/config'], { impl_path: '.git/config' }))).toHaveLength(1)
    expect(check.problems(contextOf(['package.json'], { spec: 'package.json' }))).toHaveLength(1)
  })

  it.each([
    '../outside',
    'a/../../b',
    '/etc/passwd',
    'C:/x',
    'a//b',
    './a',
    'a\\b',
    'a\nb',
    'a\uFFFDb',
  ])('refuses the path %j', (path) => {
    const allowed = { allow: [path] }
    expect(patchProblems(patchOf([fileAt(path)]), allowed)).toHaveLength(1)
  })

  it.each([
    ['a symbolic link', { newMode: '120000', status: 'added', baseMode: null }],
    ['a deleted link', { newMode: null, status: 'deleted', baseMode: '120000' }],
    ['a file turned into a link', { newMode: '120000' }],
    ['a submodule', { newMode: '160000', status: 'added', baseMode: null }],
    ['a mode change', { newMode: '100755' }],
    ['an unknown mode', { newMode: '100600', baseMode: '100600' }],
  ] as const)('refuses %s', (_, changes) => {
    expect(patchProblems(patchOf([fileAt('src/x', changes)]))).toHaveLength(1)
  })

  it('lets added, deleted and executable files pass', () => {
    const added = fileAt('run.sh', { status: 'added', baseMode: null, newMode: '100755' })
    const deleted = fileAt('old.ts', { status: 'deleted', newMode: null, newBlob: null })
    const kept = fileAt('tool', { baseMode: '100755', newMode: '100755' })
    expect(patchProblems(patchOf([added, deleted, kept]))).toEqual([])
  })

  it('refuses too many files and too much text', () => {
    const many = Array.from({ length: 101 }, (_, i) => fileAt(`src/f${i}.ts`))
    expect(patchProblems(patchOf(many))[0]).toContain('101 files')
    expect(patchProblems(patchOf([fileAt('a')], '+x\n'.repeat(400_000)))[0]).toContain('characters')
  })

  it('keeps a long list of problems short', () => {
    const problems = patchProblems(patchOf(Array.from({ length: 50 }, () => fileAt('.npmrc'))))
    expect(problems).toHaveLength(11)
    expect(problems.at(-1)).toContain('40 more')
  })

  it('refuses an added secret without repeating it, and lets an unchanged or moved one be', () => {
    const secret = ['ghp', 'x'.repeat(36)].join('_')
    const problems = patchProblems(patchOf([fileAt('a.ts')], `+const t = '${secret}'\n`))
    expect(problems).toHaveLength(1)
    expect(problems[0]).not.toContain(secret)
    expect(patchProblems(patchOf([fileAt('a.ts')], ` const t = '${secret}'\n+x\n`))).toEqual([])
    const moved = `-const t = '${secret}'\n+  const t = '${secret}'\n`
    expect(patchProblems(patchOf([fileAt('a.ts')], moved))).toEqual([])
  })
})

describe('who may touch tests', () => {
  it.each([
    'src/cart.test.ts',
    'src/cart.spec.jsx',
    'src/__tests__/cart.js',
    'test/cart.js',
    'tests/test_cart.py',
    'pkg/test_cart.py',
    'cart_test.go',
    'testdata/golden.json',
    'src/test/java/shop/CartTest.java',
    'spec/cart_spec.rb',
    'Shop.Tests/CartFacts.cs',
    'tests/cart.rs',
    'src/__snapshots__/cart.test.ts.snap',
    'test/cart.bats',
  ])('%s is a test file', (path) => expect(isTestFile(path)).toBe(true))

  it.each([
    'src/cart.ts',
    'src/latest.ts',
    'contest/a.py',
    'attest.go',
    'spec/design.md',
    'Latest.java',
  ])('%s is none', (path) => expect(isTestFile(path)).toBe(false))

  it('red writes tests only, or the file the call names', () => {
    const check = CHECKS.only_tests_touched
    expect(
      check.problems(contextOf(['a.test.ts', 'checks/a.ts'], { test_path: 'checks/a.ts' })),
    ).toEqual([])
    expect(check.problems(contextOf(['a.test.ts', 'src/a.ts']))).toEqual([
      expect.stringContaining('src/a.ts is not a test file'),
    ])
    expect(check.problems(contextOf(['vitest.config.ts']))).toHaveLength(1)
  })

  it('green and refactor touch neither tests, nor the named test, nor what configures them', () => {
    const check = CHECKS.no_tests_touched
    expect(check.problems(contextOf(['src/a.ts']))).toEqual([])
    const cheating = ['a.test.ts', 'checks/a.ts', 'vitest.config.ts', 'test/data.json']
    expect(check.problems(contextOf(cheating, { test_path: 'checks/a.ts' }))).toHaveLength(4)
  })
})

it('an empty change is a problem where a change is asked for', () => {
  expect(CHECKS.patch_not_empty.problems(contextOf([]))).toHaveLength(1)
  expect(CHECKS.patch_not_empty.problems({ ...contextOf([]), patch: null })).toHaveLength(1)
  expect(CHECKS.patch_not_empty.problems(contextOf(['a']))).toEqual([])
})

import type { Check } from './checks.ts'
import type { Patch, PatchFile } from './evidence.ts'
import { protectionOf } from './protected-paths.ts'
import { secretsIn } from './secrets.ts'
import { isTestFile, isTestSetup } from './test-files.ts'

const MAX_FILES = 100
const MAX_DIFF_CHARS = 1_000_000
const REGULAR = ['100644', '100755']
const SHOWN = 10

/**
 * What every patch must keep to, whoever made it; one line per problem, empty when all is well.
 * @param allow protected paths that the caller asked for by name; lifts nothing but their protection
 */
export function patchProblems(patch: Patch, { allow = [] }: { allow?: readonly string[] } = {}) {
  const problems = [
    ...sizeProblems(patch),
    ...patch.files.flatMap((file) => fileProblems(file, allow)),
    ...secretProblems(patch.diff),
  ]
  if (problems.length <= SHOWN) return problems
  return [...problems.slice(0, SHOWN), `and ${problems.length - SHOWN} more problems of this kind`]
}

export const patchPolicy: Check = {
  kind: 'rule',
  problems: ({ patch, input }) =>
    patch ? patchProblems(patch, { allow: pathsAskedFor(input) }) : [],
}

/** tdd_red: a test is what was asked for, and nothing else. */
export const onlyTestsTouched: Check = {
  kind: 'rule',
  problems: ({ patch, input }) =>
    touched(patch)
      .filter((path) => path !== input.test_path && !isTestFile(path))
      .map((path) => `${path} is not a test file; only tests may be written now, undo the change`),
}

/** tdd_green, tdd_refactor: the tests, and what decides how they run, stay as they were. */
export const noTestsTouched: Check = {
  kind: 'rule',
  problems: ({ patch, input }) =>
    touched(patch)
      .filter((path) => path === input.test_path || isTestFile(path) || isTestSetup(path))
      .map((path) => `${path} belongs to the tests and must stay as it was; undo the change`),
}

export const patchNotEmpty: Check = {
  kind: 'rule',
  problems: ({ patch }) =>
    touched(patch).length === 0 ? ['no file was changed; the task asks for a change'] : [],
}

function touched(patch: Patch | null): string[] {
  return patch?.files.map((file) => file.path) ?? []
}

/** The paths a call names as its subject. */
function pathsAskedFor(input: Readonly<Record<string, unknown>>): string[] {
  const named = [input.test_path, input.impl_path, input.output_path, input.files].flat()
  return named
    .filter((path) => typeof path === 'string')
    .map((path) => path.replace(/^(\.\/)+/, ''))
}

function sizeProblems({ files, diff }: Patch): string[] {
  const problems: string[] = []
  if (files.length > MAX_FILES) {
    problems.push(`the change touches ${files.length} files, and the limit is ${MAX_FILES}`)
  }
  if (diff.length > MAX_DIFF_CHARS) {
    problems.push(`the change is ${diff.length} characters, and the limit is ${MAX_DIFF_CHARS}`)
  }
  return problems
}

function fileProblems(file: PatchFile, allow: readonly string[]): string[] {
  const { path, status, baseMode, newMode } = file
  const pathProblem = shapeProblem(path)
  if (pathProblem) return [`${JSON.stringify(path)} ${pathProblem}`]
  const problems: string[] = []
  const protection = protectionOf(path, allow)
  if (protection) problems.push(`${path} is protected (${protection}); undo the change`)
  const modes = [baseMode, newMode].filter((mode) => mode !== null)
  if (modes.includes('120000')) problems.push(`${path} is a symbolic link; links must not change`)
  else if (modes.includes('160000')) problems.push(`${path} is a repository of its own; remove it`)
  else if (!modes.every((mode) => REGULAR.includes(mode))) {
    problems.push(`${path} is not a regular file`)
  } else if (status === 'modified' && baseMode !== newMode) {
    problems.push(`${path} changes its mode from ${baseMode} to ${newMode}; undo that`)
  }
  return problems
}

function shapeProblem(path: string): string | null {
  const segments = path.split('/')
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'is not relative to the project'
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'leaves the project or is not in its plain form'
  }
  // U+FFFD stands for bytes that were not UTF-8.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001F\u007F\\\uFFFD]/.test(path)) return 'holds characters that no file name needs'
  return null
}

/** A secret that the same change removes elsewhere was there before: moving it leaks nothing new. */
function secretProblems(diff: string): string[] {
  const lines = diff.split('\n')
  const foundIn = (sign: string) =>
    secretsIn(lines.flatMap((line) => (line.startsWith(sign) ? [line.slice(1)] : [])).join('\n'))
  const removed = new Set(foundIn('-').map((secret) => secret.value))
  const added = foundIn('+').filter((secret) => !removed.has(secret.value))
  const kinds = new Set(added.map((secret) => secret.kind))
  return [...kinds].map((kind) => `the change adds what looks like ${kind}; never write secrets`)
}

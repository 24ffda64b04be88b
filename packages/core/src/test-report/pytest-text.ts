import type { TestCase, TestReport } from '../evidence.ts'
import { failed, joinName, passed, skipped } from './test-names.ts'

const STATUS = '(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)'
const VERBOSE = new RegExp(`^(\\S+?\\.py)::(.+?) ${STATUS}\\s*(?:\\(.*\\))?\\s*(?:\\[ *\\d+%\\])?$`)
const SUMMARY = new RegExp(`^${STATUS} (\\S+?\\.py)(?:::(.+?))?(?: - (.*))?$`)
const TOTAL = /^=*\s*(?=.*\b(?:passed|failed|skipped|error)).*\bin [\d.]+s/m

/** Reads `pytest -v` or `pytest -rA`. Null when it did not come to its last line, or passing tests are not listed. */
export function readPytestText(text: string): TestReport | null {
  const total = TOTAL.exec(text)?.[0]
  if (total === undefined) return null
  const found = new Map<string, TestCase>()
  const loadErrors: { file: string; message: string }[] = []
  for (const line of text.split('\n')) {
    const [, file, name, status] = VERBOSE.exec(line) ?? []
    if (file !== undefined) found.set(`${file}::${name}`, toCase(status!, file, name!, ''))
    const [, listed, path, test, reason = ''] = SUMMARY.exec(line) ?? []
    if (listed === undefined || path === undefined) continue
    if (test === undefined)
      loadErrors.push({ file: path, message: reason || importError(text, path) })
    else found.set(`${path}::${test}`, toCase(listed, path, test, reason))
  }
  const tests = [...found.values()]
  const passedCount = Number(/(\d+) passed/.exec(total)?.[1] ?? 0)
  const listedCount = tests.filter(({ status }) => status === 'passed').length
  return listedCount < passedCount ? null : { runner: 'pytest', tests, loadErrors }
}

function toCase(status: string, file: string, test: string, reason: string): TestCase {
  const name = joinName(test.split('::'))
  if (status === 'PASSED' || status === 'XPASS') return passed(name, file)
  return status === 'FAILED' || status === 'ERROR'
    ? failed(name, reason, file)
    : skipped(name, file)
}

function importError(text: string, path: string): string {
  const [, section = ''] = text.split(`ERROR collecting ${path}`)
  return (/^E\s+(\S.*Error.*)$/m.exec(section)?.[1] ?? 'could not be collected').trim()
}

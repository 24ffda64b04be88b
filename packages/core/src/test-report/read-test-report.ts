import type { TestReport } from '../evidence.ts'
import { readCargoTest } from './cargo-test.ts'
import { readGoJson, readGoText } from './go-test.ts'
import { readJestJson } from './jest-json.ts'
import { readJestText } from './jest-text.ts'
import { readJunit } from './junit.ts'
import { readNodeEvents } from './node-events.ts'
import { readNodeSpec } from './node-spec.ts'
import { readPytestText } from './pytest-text.ts'
import { readTap } from './tap.ts'
import { stripColours } from './test-names.ts'
import { readVitestText } from './vitest-text.ts'

/** Between what a command printed and the report its runner wrote into a file; see instrument-command.ts. */
export const REPORT_MARK = '----- hyperguild: report of the test runner -----'

/** What runners write into files, tried in this order. */
const FILE_READERS: readonly ((text: string) => TestReport | null)[] = [
  readNodeEvents,
  (text) => readJestJson(text, 'vitest/jest'),
  (text) => readJunit(text, 'junit'),
]

/** What runners print. The strict ones come first; each returns null for what is not complete and its own. */
const TEXT_READERS: readonly ((text: string) => TestReport | null)[] = [
  readCargoTest,
  readGoJson,
  readGoText,
  readVitestText,
  readJestText,
  readPytestText,
  readTap,
  readNodeSpec,
  (text) => readJestJson(text.slice(Math.max(0, text.indexOf('{'))), 'vitest/jest'),
  (text) => readJunit(text.slice(Math.max(0, text.indexOf('<testsuite'))), 'junit'),
]

/** For people and models: which runners a report can be read from. */
export const READABLE_RUNNERS =
  'node --test, vitest, jest, pytest, go test, cargo test, and whatever prints TAP or JUnit XML'

/**
 * What a test runner reported in its output, or null when there is no complete report in it. A report is no proof by
 * itself: the code under test runs in the same sandbox and could print anything; test-proof.ts compares two runs.
 */
export function readTestReport(output: string): TestReport | null {
  const { printed, report } = splitOutput(output)
  const readers =
    report === null
      ? { text: stripColours(printed), list: TEXT_READERS }
      : { text: report, list: FILE_READERS }
  for (const read of readers.list) {
    const found = read(readers.text)
    if (found !== null) return found
  }
  return null
}

/** An instrumented command's output in two: what it printed, and the report file (null when there is none). */
export function splitOutput(output: string): { printed: string; report: string | null } {
  const at = output.lastIndexOf(`\n${REPORT_MARK}\n`)
  if (at === -1) return { printed: output, report: null }
  return { printed: output.slice(0, at), report: output.slice(at + REPORT_MARK.length + 2) }
}

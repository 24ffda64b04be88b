import type { TestCase, TestReport } from '../evidence.ts'
import { failed, joinName, passed, shortenFailure, skipped } from './test-names.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
}

/** One testcase element with what is inside it, self-closing ones included. */
const TESTCASE = /<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g
const PROBLEM = /<(failure|error|skipped)\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/\1>)/

/** Reads JUnit XML, as pytest and many others write it; null when the document is not complete. */
export function readJunit(text: string, runner: string): TestReport | null {
  if (!/<testsuites?\b/.test(text) || !/<(\/testsuites?|testsuites?\b[^>]*\/)>\s*$/.test(text)) {
    return null
  }
  const tests: TestCase[] = []
  const loadErrors: { file: string | null; message: string }[] = []
  for (const [, attributes = '', body = ''] of text.matchAll(TESTCASE)) {
    const file = attribute(attributes, 'file') || null
    const name = joinName([attribute(attributes, 'classname'), attribute(attributes, 'name')])
    const [, problem, details = '', content = ''] = PROBLEM.exec(body) ?? []
    if (problem === undefined) tests.push(passed(name, file))
    else if (problem === 'skipped') tests.push(skipped(name, file))
    else {
      const message = attribute(details, 'message')
      if (message === 'collection failure') {
        loadErrors.push({ file, message: shortenFailure(essence(decode(content))) })
      } else tests.push(failed(name, message || decode(content), file))
    }
  }
  return { runner, tests, loadErrors }
}

/** pytest marks the lines that say what went wrong with an E; the traceback above them is long. */
function essence(content: string): string {
  const marked = content.split('\n').filter((line) => /^E\s/.test(line))
  return marked.length === 0 ? content : marked.map((line) => line.slice(1).trim()).join('\n')
}

function attribute(attributes: string, name: string): string {
  return decode(new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? '')
}

function decode(text: string): string {
  return text
    .replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, '$1')
    .replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, entity: string) => {
      if (!entity.startsWith('#')) return ENTITIES[entity] ?? whole
      const code =
        entity[1] === 'x' ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1))
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    })
}

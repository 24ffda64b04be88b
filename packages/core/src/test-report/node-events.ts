import * as z from 'zod'
import type { TestCase, TestReport } from '../evidence.ts'
import { failed, joinName, passed, shortenFailure, skipped } from './test-names.ts'

/** One line of what our reporter for node:test writes (packages/io/src/work/node-test-reporter.mjs). */
const eventSchema = z.object({
  event: z.enum(['start', 'pass', 'fail', 'stderr', 'end']),
  name: z.string().default(''),
  nesting: z.number().default(0),
  file: z.string().default(''),
  suite: z.boolean().default(false),
  skipped: z.boolean().default(false),
  message: z.string().default(''),
})
type Event = z.infer<typeof eventSchema>

/** Reads the events of `node --test`; null when the run did not come to its end. */
export function readNodeEvents(text: string): TestReport | null {
  const events = text.split('\n').flatMap(parseEvent)
  if (!events.some(({ event }) => event === 'end')) return null
  const tests: TestCase[] = []
  const loadErrors: { file: string; message: string }[] = []
  const path: string[] = []
  for (const event of events) {
    if (event.event === 'start') {
      path.splice(event.nesting, path.length, event.name)
      continue
    }
    if ((event.event !== 'pass' && event.event !== 'fail') || event.suite) continue
    const isFile = event.nesting === 0 && isWholeFile(event)
    const said = isFile ? stderrOf(events, event.name) : ''
    if (isFile && event.event === 'fail' && !said.includes('AssertionError')) {
      loadErrors.push({ file: event.file, message: shortenFailure(errorIn(said)) })
    } else {
      const name = joinName([...path.slice(0, event.nesting), event.name])
      tests.push(testCase(event, name, said === '' ? event.message : errorIn(said)))
    }
  }
  return { runner: 'node:test', tests, loadErrors }
}

function testCase(event: Event, name: string, failure: string): TestCase {
  if (event.skipped) return skipped(name, event.file)
  return event.event === 'pass' ? passed(name, event.file) : failed(name, failure, event.file)
}

/** node:test reports a file without tests, or one that could not be loaded, as a test of the file's name. */
function isWholeFile({ name, file }: Event): boolean {
  return file === name || file.endsWith(`/${name}`)
}

function stderrOf(events: readonly Event[], file: string): string {
  return events
    .filter((event) => event.event === 'stderr' && isWholeFile({ ...event, name: file }))
    .map(({ message }) => message)
    .join('')
}

/** From an uncaught error as Node prints it, what it is and where, without the stack. */
function errorIn(stderr: string): string {
  const lines = stderr.split('\n')
  const kind = lines.findIndex((line) => /^\S*(Error|Exception)\b.*:/.test(line))
  if (kind === -1) return stderr
  const stack = lines.findIndex((line, at) => at > kind && /^\s+at /.test(line))
  const where = /^(file:|\/|\.|[\w-]+\/).*:\d+$/.test(lines[0] ?? '') ? [lines[0]!] : []
  return [...lines.slice(kind, stack === -1 ? kind + 3 : stack), ...where].join('\n')
}

function parseEvent(line: string): Event[] {
  if (!line.startsWith('{')) return []
  try {
    const parsed = eventSchema.safeParse(JSON.parse(line))
    return parsed.success ? [parsed.data] : []
  } catch {
    return []
  }
}

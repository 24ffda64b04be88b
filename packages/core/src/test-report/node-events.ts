import * as z from 'zod'
import type { TestCase, TestReport } from '../evidence.ts'
import { errorIn, failed, joinName, passed, shortenFailure, skipped } from './test-names.ts'

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
    if (event.nesting > 0 || !isWholeFile(event)) {
      tests.push(testCase(event, joinName([...path.slice(0, event.nesting), event.name])))
    } else if (event.event === 'fail') {
      const message = shortenFailure(errorIn(stderrOf(events, event.name)))
      loadErrors.push({ file: event.file, message: message || event.message })
    }
  }
  return { runner: 'node:test', tests, loadErrors }
}

function testCase(event: Event, name: string): TestCase {
  if (event.skipped) return skipped(name, event.file)
  return event.event === 'pass' ? passed(name, event.file) : failed(name, event.message, event.file)
}

/** See isSourceFile in test-names.ts; here the event tells the file. */
function isWholeFile({ name, file }: Event): boolean {
  return file === name || file.endsWith(`/${name}`)
}

function stderrOf(events: readonly Event[], file: string): string {
  return events
    .filter((event) => event.event === 'stderr' && isWholeFile({ ...event, name: file }))
    .map(({ message }) => message)
    .join('')
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

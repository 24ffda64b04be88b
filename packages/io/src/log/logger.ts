import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger } from 'pino'

/** Secrets that could ride along in an object that is logged. */
const REDACTED = [
  'apiKey',
  'authorization',
  'token',
  '*.apiKey',
  '*.authorization',
  '*.token',
  'headers["x-api-key"]',
]

/** JSON lines on stderr, for people when stderr is a terminal. Standard output belongs to answers. */
export function createLogger(name: string, level: string): Logger {
  const options = { name, level, redact: REDACTED, base: { name } }
  return pino(options, destination())
}

function destination(): DestinationStream {
  return process.stderr.isTTY
    ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true })
    : pino.destination({ dest: 2, sync: true })
}

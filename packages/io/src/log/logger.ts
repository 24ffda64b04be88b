import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import { withoutSecrets } from './without-secrets.ts'

export type { Logger } from 'pino'

/** `auto`: pretty where stderr is a terminal. */
export type LogFormat = 'auto' | 'json' | 'pretty'

/** Lines on stderr, as JSON or for people. Standard output belongs to answers. */
export function createLogger(name: string, level: string, format: LogFormat = 'auto'): Logger {
  const options = { name, level, base: { name }, hooks: { streamWrite: withoutSecrets } }
  return pino(options, destination(format))
}

function destination(format: LogFormat): DestinationStream {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stderr.isTTY)
  return isPretty
    ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true, colorize: isPretty })
    : pino.destination({ dest: 2, sync: true })
}

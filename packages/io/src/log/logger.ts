import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import { withoutSecrets } from './without-secrets.ts'

export type { Logger } from 'pino'

/** JSON lines on stderr, for people when stderr is a terminal. Standard output belongs to answers. */
export function createLogger(name: string, level: string): Logger {
  const options = { name, level, base: { name }, hooks: { streamWrite: withoutSecrets } }
  return pino(options, destination())
}

function destination(): DestinationStream {
  return process.stderr.isTTY
    ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true })
    : pino.destination({ dest: 2, sync: true })
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedRedis, startEmbeddedRedis } from './embedded-redis.ts'
import { connectRedis } from './redis.ts'

type AtEnd = (undo: () => Promise<void> | void) => void

/** A Redis of one test alone, which may do to it what it likes; gone when the test ends. */
export interface OwnRedis {
  url: string
  port: number
  /** Sends one command over a connection of its own. */
  tell(command: string, ...args: (string | number)[]): Promise<unknown>
  /** Ends it the hard way. */
  kill(): Promise<void>
  stop(): Promise<void>
  /** Starts it anew, at the same address and on the same files. */
  start(): Promise<void>
}

export async function startOwnRedis(
  atEnd: AtEnd,
  options: { fsync?: 'everysec' | 'always' } = {},
): Promise<OwnRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hyperguild-own-redis-'))
  atEnd(() => rm(dataDir, { recursive: true, force: true }))
  let server: EmbeddedRedis = await startEmbeddedRedis({ dataDir, ...options })
  atEnd(() => server.close())
  const { url } = server
  const port = Number(new URL(url).port)
  const { password } = new URL(url)
  return {
    url,
    port,
    async tell(command, ...args) {
      const redis = connectRedis(url, 'test-tells', 'wait').on('error', () => {})
      try {
        return await redis.call(command, ...args)
      } finally {
        redis.disconnect()
      }
    },
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server.close()
    },
    stop: () => server.close(),
    async start() {
      server = await startEmbeddedRedis({ dataDir, port, password, ...options })
    },
  }
}

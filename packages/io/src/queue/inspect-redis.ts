import { type RecorderState, readRecorderState } from '../log/recorder-state.ts'
import { keysFor } from './keys.ts'
import { connectRedis, requireUsableRedis } from './redis.ts'
import { conditionFrom } from './redis-watch.ts'
import { type AckMode, openAcknowledger } from './safe-ack.ts'

/** What the Redis of a fleet is like, for people. */
export interface RedisReport {
  /** Its version and what it does when its memory is full. */
  text: string
  /** Why it takes no new jobs now; null when it does. */
  trouble: string | null
  /** What a power cut could take of what was acknowledged; null when nothing. */
  ackWarning: string | null
  recorder: RecorderState
}

/**
 * Looks at the Redis of a fleet once.
 * @throws {ConfigError} when it cannot be reached or jobs could be lost on it
 */
export async function inspectRedis(options: {
  url: string
  prefix: string
  ackMode: AckMode
  timeoutMs: number
}): Promise<RedisReport> {
  const redis = connectRedis(options.url, 'doctor', 'wait')
  // Told by requireUsableRedis; without a listener each failed connection would be printed.
  redis.on('error', () => {})
  try {
    await requireUsableRedis(redis, options.timeoutMs)
    const keys = keysFor(options.prefix)
    const acknowledger = await openAcknowledger({ redis, keys, mode: options.ackMode })
    acknowledger.close()
    const info = await redis.info()
    const factOf = (key: string) => new RegExp(`^${key}:(\\S+)`, 'm').exec(info)?.[1]
    return {
      text: `version ${factOf('redis_version')}, ${factOf('maxmemory_policy') ?? 'policy unknown'}`,
      trouble: conditionFrom(info).trouble,
      ackWarning: acknowledger.warning,
      recorder: await readRecorderState(redis, keys),
    }
  } finally {
    redis.disconnect()
  }
}

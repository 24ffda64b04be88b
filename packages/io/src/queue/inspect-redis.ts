import { connectRedis, requireUsableRedis } from './redis.ts'

/**
 * Looks at the Redis of a fleet once.
 * @returns its version and what it does when its memory is full
 * @throws {ConfigError} when it cannot be reached or jobs could be lost on it
 */
export async function inspectRedis(url: string, timeoutMs: number): Promise<string> {
  const redis = connectRedis(url, 'doctor', 'wait')
  // Told by requireUsableRedis; without a listener each failed connection would be printed.
  redis.on('error', () => {})
  try {
    await requireUsableRedis(redis, timeoutMs)
    const info = await redis.info()
    const factOf = (key: string) => new RegExp(`^${key}:(\\S+)`, 'm').exec(info)?.[1]
    return `version ${factOf('redis_version')}, ${factOf('maxmemory_policy') ?? 'policy unknown'}`
  } finally {
    redis.disconnect()
  }
}

import { ConfigError } from '@hyperguild/core/errors.ts'
import { Redis } from 'ioredis'

export type RedisConnection = Redis

/** BullMQ 6 needs 6.2; counting a principal's open jobs (ZINTERCARD) needs 7.0. */
const OLDEST_VERSION = [7, 0] as const

/**
 * One connection to Redis or Valkey that reconnects by itself, quickly, for as long as the process lives.
 * @param patience `fail_fast`: commands fail at once while Redis is away (gateways answer "busy" instead of hanging);
 *   `wait`: commands wait for Redis to come back (workers have nothing better to do).
 */
export function connectRedis(url: string, name: string, patience: 'fail_fast' | 'wait'): Redis {
  return new Redis(url, {
    connectionName: `hyperguild-${name}`,
    maxRetriesPerRequest: patience === 'wait' ? null : 1,
    enableOfflineQueue: patience === 'wait',
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2000),
  })
}

/**
 * The reply of a blocking command, or a rejection once `signal` aborts: a connection that is closed while Redis is away
 * leaves its callers waiting for ever.
 */
export function replyUnless<T>(signal: AbortSignal, reply: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    reply.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
    if (signal.aborted) stop()
  })
}

/**
 * Waits until Redis answers, and refuses a server on which jobs could be lost.
 * @throws {ConfigError} when nobody answers within `timeoutMs`, the server is too old, or it evicts keys
 */
export async function requireUsableRedis(redis: Redis, timeoutMs: number): Promise<void> {
  await untilReady(redis, timeoutMs)
  const info = await redis.info()
  const version = /^(?:redis_version):(\d+)\.(\d+)/m.exec(info)
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])]
  const [oldestMajor, oldestMinor] = OLDEST_VERSION
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new ConfigError(
      `REDIS_URL: the server is version ${major}.${minor}; hyperguild needs ${OLDEST_VERSION.join('.')} or newer`,
    )
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  if (policy !== undefined && policy !== 'noeviction') {
    throw new ConfigError(
      `REDIS_URL: the server evicts keys (maxmemory-policy ${policy}), which loses jobs; run: redis-cli CONFIG SET maxmemory-policy noeviction`,
    )
  }
}

async function untilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return
  await new Promise<void>((resolve, reject) => {
    let lastError: Error | undefined
    const onError = (error: Error) => {
      lastError = error
    }
    const settle = (problem?: ConfigError) => {
      clearTimeout(timer)
      redis.off('ready', onReady).off('error', onError)
      if (problem) reject(problem)
      else resolve()
    }
    const onReady = () => settle()
    const timer = setTimeout(() => settle(unreachable(redis, lastError)), timeoutMs)
    redis.once('ready', onReady).on('error', onError)
  })
}

function unreachable(redis: Redis, cause: Error | undefined): ConfigError {
  const { host, port } = redis.options
  const why = cause ? ` (${cause.message})` : ''
  return new ConfigError(
    `REDIS_URL: no Redis answers at ${host}:${port}${why}; start one, correct REDIS_URL, or unset it to use the embedded one`,
  )
}

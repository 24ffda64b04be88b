import { ConfigError } from '@hyperguild/core/errors.ts'
import { Redis } from 'ioredis'

export type RedisConnection = Redis

/** BullMQ 6 needs 6.2; counting a principal's open jobs (ZINTERCARD) needs 7.0. */
const OLDEST_VERSION = [7, 0] as const

/** No answer for so long means that Redis is away, for whoever cannot wait. */
const COMMAND_TIMEOUT_MS = 800
const CONNECT_TIMEOUT_MS = 2_000
const MOST_BACKOFF_MS = 2_000
/** Refusals further apart than this are not the same trouble. */
const REFUSALS_FORGOTTEN_MS = 10_000

/**
 * One connection to Redis or Valkey that reconnects by itself, quickly, for as long as the process lives; the name in the
 * URL is looked up anew each time.
 * @param patience `fail_fast`: commands fail within a second while Redis is away (gateways answer "busy" instead of
 *   hanging); `wait`: commands wait for Redis to come back (workers have nothing better to do).
 */
export function connectRedis(url: string, name: string, patience: 'fail_fast' | 'wait'): Redis {
  return new Redis(url, {
    connectionName: `hyperguild-${name}`,
    maxRetriesPerRequest: patience === 'wait' ? null : 1,
    enableOfflineQueue: patience === 'wait',
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: MOST_BACKOFF_MS,
    ...(patience === 'fail_fast' ? { commandTimeout: COMMAND_TIMEOUT_MS } : {}),
    ...reconnectingFrom(patience),
  })
}

/** A server that became a replica is left for whatever the name stands for by then: that is how a failover looks. */
function reconnectingFrom(patience: 'fail_fast' | 'wait') {
  let refusals = 0
  let lastRefusalMs = 0
  const refusalsLately = () => (Date.now() - lastRefusalMs > REFUSALS_FORGOTTEN_MS ? 0 : refusals)
  return {
    reconnectOnError(error: Error): false | 1 | 2 {
      if (!error.message.startsWith('READONLY')) return false
      refusals = refusalsLately() + 1
      lastRefusalMs = Date.now()
      // 2 has the command sent again.
      return patience === 'wait' ? 2 : 1
    },
    retryStrategy: (attempt: number) =>
      Math.min(50 * 2 ** (attempt + refusalsLately()), MOST_BACKOFF_MS),
  }
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
      // What the server itself says is worth more than how its connection ended.
      if (lastError?.name !== 'ReplyError') lastError = error
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

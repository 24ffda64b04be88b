import { ConfigError, RequestError } from '@hyperguild/core/errors.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

/** `fsync`: what was acknowledged survives a power cut; `memory`: Redis has it, however Redis keeps it. */
export type AckMode = 'fsync' | 'memory'

/** A second for the sync that is due every second, and time for a slow disk. */
const CONFIRM_MS = 3_000
const RETRY_MS = 1_000
const MARK_TTL_MS = 60_000

/** Says when what was written to Redis is as safe as the operator wants it to be. */
export interface Acknowledger {
  /** What safety rests on, in one clause for people. */
  basis: string
  /** What the operator should know: it is less than was asked for. Null when all is well. */
  warning: string | null
  /**
   * Resolves when everything that this process wrote before is safe; they who ask at once share one answer.
   * @throws {RequestError} `busy` when the disk does not confirm it in time
   */
  safe(): Promise<void>
  close(): void
}

/** What a server promises of what it has answered. */
export interface Durability {
  appendOnly: boolean
  /** `always`, `everysec` or `no`; null where the server does not tell. */
  fsync: string | null
  knowsWaitaof: boolean
}

/** @throws {ConfigError} when a server without an append-only file is to keep what it acknowledges */
export async function openAcknowledger(options: {
  redis: Redis
  keys: Keys
  mode: AckMode
}): Promise<Acknowledger> {
  const { redis, keys, mode } = options
  if (mode === 'memory') return unconfirmed('memory', null)
  const durability = await readDurability(redis)
  refuseForgetful(durability)
  if (durability.fsync === 'always') return unconfirmed('each write is on disk', null)
  if (!durability.knowsWaitaof) return unconfirmed('each write is with the system', TOO_OLD)
  const connection = redis.duplicate({
    connectionName: `${redis.options.connectionName}-ack`,
    commandTimeout: CONFIRM_MS + 1_000,
  })
  connection.on('error', () => {})
  return {
    basis: 'WAITAOF',
    warning: null,
    safe: shared(() => confirm(connection, keys)),
    close: () => connection.disconnect(),
  }
}

const TOO_OLD =
  'Redis writes to disk once a second and is too old to be asked whether it has (WAITAOF, Redis 7.2): a power cut may take the last second of acknowledged jobs; run: redis-cli CONFIG SET appendfsync always'

function unconfirmed(basis: string, warning: string | null): Acknowledger {
  return { basis, warning, safe: async () => {}, close: () => {} }
}

export async function readDurability(redis: Redis): Promise<Durability> {
  const [info, fsync, known] = await Promise.all([
    redis.info('persistence'),
    // Not every account may read the configuration.
    redis.config('GET', 'appendfsync').catch(() => []),
    redis.call('COMMAND', 'INFO', 'WAITAOF').catch(() => [null]),
  ])
  const [, value] = fsync as string[]
  return {
    appendOnly: /^aof_enabled:1/m.test(info),
    fsync: value ?? null,
    knowsWaitaof: (known as unknown[])[0] !== null,
  }
}

function refuseForgetful({ appendOnly, fsync }: Durability): void {
  const otherwise = 'or accept the loss with HYPERGUILD_ACK=memory'
  if (!appendOnly) {
    throw new ConfigError(
      `REDIS_URL: the server keeps no append-only file, so a restart loses jobs; run: redis-cli CONFIG SET appendonly yes, then: redis-cli CONFIG REWRITE; ${otherwise}`,
    )
  }
  if (fsync === 'no') {
    throw new ConfigError(
      `REDIS_URL: the server leaves it to the system when to write to disk (appendfsync no); run: redis-cli CONFIG SET appendfsync always, then: redis-cli CONFIG REWRITE; ${otherwise}`,
    )
  }
}

/**
 * The file is written in the order of the commands, so once a mark of this connection is on disk, so is all that came
 * before it over any other.
 */
async function confirm(connection: Redis, keys: Keys): Promise<void> {
  const mark = connection.set(keys.ackMark, Date.now(), 'PX', MARK_TTL_MS)
  const synced = connection.call('WAITAOF', 1, 0, CONFIRM_MS) as Promise<[number, number]>
  const [, [local]] = await Promise.all([mark, synced])
  if (local >= 1) return
  throw new RequestError(
    'busy',
    `the job was taken, but the disk of Redis has not confirmed it within ${CONFIRM_MS / 1000} s; make the same call again to join it`,
    { retryAfterMs: RETRY_MS },
  )
}

/** Runs `once` for all who ask while it is under way, since what they wrote may have come too late for that run. */
function shared(once: () => Promise<void>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | null = null
  return () => {
    next ??= running.then(() => {
      const run = once()
      running = run.catch(() => {})
      next = null
      return run
    })
    return next
  }
}

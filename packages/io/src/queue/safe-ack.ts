import { ConfigError, RequestError } from '@hyperguild/core/errors.ts'
import type { Redis } from 'ioredis'
import { findAofFolder, syncAof, untilWritten } from './aof-file.ts'
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
   * @throws {RequestError} `busy` when that is not confirmed in time
   */
  safe(): Promise<void>
  close(): void
}

/** What a server promises of what it has answered. */
interface Durability {
  appendOnly: boolean
  /** `always`, `everysec` or `no`; null where the server does not tell. */
  fsync: string | null
  waitaof: 'unknown' | 'doubtful' | 'good'
}

/** @throws {ConfigError} when a server that forgets is to keep what is acknowledged */
export async function openAcknowledger(options: {
  redis: Redis
  keys: Keys
  mode: AckMode
}): Promise<Acknowledger> {
  const { redis, mode } = options
  if (mode === 'memory') return atOnce('what Redis has in memory')
  const durability = await readDurability(redis)
  refuseForgetful(durability)
  if (durability.fsync === 'always') return atOnce('Redis writes to disk before it answers')
  const folder = await findAofFolder(redis)
  if (folder !== null) return syncingHere(redis, folder)
  if (durability.waitaof === 'unknown') return writtenOnly(redis)
  return askingRedis(options, durability.waitaof === 'good' ? null : EARLY)
}

const ALWAYS = 'run: redis-cli CONFIG SET appendfsync always, then: redis-cli CONFIG REWRITE'
const TOO_OLD = `Redis writes to disk once a second and cannot be asked whether it has (WAITAOF, Redis 7.2): a power cut may take the last second of acknowledged jobs; ${ALWAYS}`
const EARLY = `Redis writes to disk once a second, and this version may say too early that it has (redis/redis#13793): a power cut may take the last second of acknowledged jobs; ${ALWAYS}`

function atOnce(basis: string): Acknowledger {
  return { basis, warning: null, safe: async () => {}, close: () => {} }
}

/** Redis is on this machine, so this process syncs its file. */
function syncingHere(redis: Redis, folder: string): Acknowledger {
  const safe = shared(async (signal) => {
    await untilWritten(redis, signal)
    await syncAof(folder)
  })
  return { basis: 'the gateway writes the file of Redis to disk', warning: null, safe, close() {} }
}

function writtenOnly(redis: Redis): Acknowledger {
  const safe = shared((signal) => untilWritten(redis, signal))
  return { basis: 'Redis has written it', warning: TOO_OLD, safe, close() {} }
}

function askingRedis(
  { redis, keys }: { redis: Redis; keys: Keys },
  warning: string | null,
): Acknowledger {
  const connection = redis.duplicate({
    connectionName: `${redis.options.connectionName}-ack`,
    commandTimeout: CONFIRM_MS + 1_000,
  })
  connection.on('error', () => {})
  // The file is written in the order of the commands: once a mark of this connection is on disk, so is all before it.
  const safe = shared(async () => {
    const mark = connection.set(keys.ackMark, Date.now(), 'PX', MARK_TTL_MS)
    const synced = connection.call('WAITAOF', 1, 0, CONFIRM_MS) as Promise<[number, number]>
    const [, [local]] = await Promise.all([mark, synced])
    if (local < 1) throw unconfirmed()
  })
  return {
    basis: 'Redis says that it is on disk',
    warning,
    safe,
    close: () => connection.disconnect(),
  }
}

async function readDurability(redis: Redis): Promise<Durability> {
  const [info, fsync, known] = await Promise.all([
    redis.info(),
    // Not every account may read the configuration.
    redis.config('GET', 'appendfsync').catch(() => []),
    redis.call('COMMAND', 'INFO', 'WAITAOF').catch(() => [null]),
  ])
  const [, value] = fsync as string[]
  const isKnown = (known as unknown[])[0] !== null
  return {
    appendOnly: /^aof_enabled:1/m.test(info),
    fsync: value ?? null,
    waitaof: !isKnown ? 'unknown' : isWaitaofGood(info) ? 'good' : 'doubtful',
  }
}

/** From Redis 7.4 on, and in Valkey, it could answer up to a second too early; mended in Redis 8. */
function isWaitaofGood(info: string): boolean {
  const [, major, minor] = /^redis_version:(\d+)\.(\d+)/m.exec(info) ?? []
  if (/^(server_name:valkey|valkey_version:)/m.test(info)) return false
  return Number(major) >= 8 || (major === '7' && minor === '2')
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
      `REDIS_URL: the server leaves it to the system when to write to disk (appendfsync no); ${ALWAYS}; ${otherwise}`,
    )
  }
}

function unconfirmed(): RequestError {
  return new RequestError(
    'busy',
    `the job was taken, but within ${CONFIRM_MS / 1000} s nobody confirmed that it is on disk; make the same call again to join it`,
    { retryAfterMs: RETRY_MS },
  )
}

/** Runs `once` for all who ask while it is under way, since what they wrote may have come too late for that run. */
function shared(once: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | null = null

  async function run(): Promise<void> {
    const signal = AbortSignal.timeout(CONFIRM_MS)
    await once(signal).catch((error: unknown) => {
      throw signal.aborted ? unconfirmed() : error
    })
  }

  return () => {
    next ??= running.then(() => {
      const started = run()
      running = started.catch(() => {})
      next = null
      return started
    })
    return next
  }
}

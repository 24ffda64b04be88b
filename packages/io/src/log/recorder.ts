import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { NoteDraft } from '@hyperguild/core/note.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import type { Redis } from 'ioredis'
import type { Keys } from '../queue/keys.ts'
import { replyUnless } from '../queue/redis.ts'
import { sessionFile } from './session-log.ts'

const GROUP = 'recorder'
const NEWLINE = 0x0a
const LEASE_MS = 10_000
const BLOCK_MS = 2_000
const BATCH = 200
const AFTER_ERROR_MS = 1_000
/** Between two batches, so that under load many entries share the cost of one. */
const GATHER_MS = 50

export interface RecorderOptions {
  redis: Redis
  /** A connection of its own, since it blocks. */
  blocking: Redis
  keys: Keys
  sessionsDir: string
  /** Names this process among those that could write. */
  recorderId: string
  onError(error: unknown): void
  /** Keeps the notes that a job has for the brain; may be called again with notes it has kept. */
  keepNotes(notes: readonly NoteDraft[]): Promise<void>
  /** Called with each entry once it is safely on disk. */
  onWritten?(entry: SessionEntry): void
}

export interface Recorder {
  close(): Promise<void>
}

/**
 * Writes each finished job's entry to its session's file, exactly once. One process at a time holds the lease and writes;
 * an entry leaves the stream only when it is on disk, and an entry met again after a crash is looked up in its file.
 */
export function startRecorder(options: RecorderOptions): Recorder {
  const closing = new AbortController()
  const done = recordOn(options, closing.signal)
  return {
    async close() {
      closing.abort()
      options.blocking.disconnect()
      await done
    },
  }
}

async function recordOn(options: RecorderOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const isWriter = await holdLease(options)
      if (isWriter) await recordBatch(options, signal)
      await pause(isWriter ? GATHER_MS : BLOCK_MS, undefined, { signal })
    } catch (error) {
      if (signal.aborted) break
      options.onError(error)
      await pause(AFTER_ERROR_MS, undefined, { signal }).catch(() => {})
    }
  }
  await releaseLease(options).catch(() => {})
}

async function recordBatch(options: RecorderOptions, signal: AbortSignal): Promise<void> {
  const { redis, blocking, keys } = options
  await redis.xgroup('CREATE', keys.entries, GROUP, '0', 'MKSTREAM').catch(ignoreBusyGroup)
  // Every reader uses the group's one consumer name: whatever an earlier writer left unacknowledged comes first.
  const left = await redis.xreadgroup(
    'GROUP',
    GROUP,
    GROUP,
    'COUNT',
    BATCH,
    'STREAMS',
    keys.entries,
    '0',
  )
  const leftovers = entriesIn(left)
  if (leftovers.length > 0) {
    await write(options, leftovers, true)
    return
  }
  const next = blocking.xreadgroup(
    'GROUP',
    GROUP,
    GROUP,
    'COUNT',
    BATCH,
    'BLOCK',
    BLOCK_MS,
    'STREAMS',
    keys.entries,
    '>',
  )
  await write(options, entriesIn(await replyUnless(signal, next)), false)
}

/** Sessions are written side by side, and what is on disk leaves the stream at once, whatever became of the others. */
async function write(
  options: RecorderOptions,
  deliveries: readonly Delivery[],
  mayBeWritten: boolean,
): Promise<void> {
  if (deliveries.length === 0) return
  const { redis, keys } = options
  await mkdir(options.sessionsDir, { recursive: true })
  const sessions = [...Map.groupBy(deliveries, ({ entry }) => entry.session_id).values()]
  const endings = await Promise.allSettled(
    sessions.map((session) => writeSession(options, session, mayBeWritten)),
  )
  const written = sessions.filter((_, index) => endings[index]!.status === 'fulfilled').flat()
  const ids = written.map(({ id }) => id)
  if (ids.length > 0) {
    await redis
      .multi()
      .xack(keys.entries, GROUP, ...ids)
      .xdel(keys.entries, ...ids)
      .exec()
  }
  for (const { entry } of written) options.onWritten?.(entry)
  const failure = endings.find((ending) => ending.status === 'rejected')
  if (failure) throw failure.reason
}

async function writeSession(
  options: RecorderOptions,
  deliveries: readonly Delivery[],
  mayBeWritten: boolean,
): Promise<void> {
  const file = sessionFile(options.sessionsDir, deliveries[0]!.entry.session_id)
  const text = mayBeWritten ? await wholeLines(file) : ''
  const missing = deliveries.filter(({ entry }) => !holdsEntry(text, entry.job_id))
  if (missing.length > 0) await appendLines(file, missing)
  const notes = deliveries.flatMap((delivery) => delivery.notes)
  if (notes.length > 0) await options.keepNotes(notes)
}

/** One write, on disk before this returns. A line torn by an earlier crash is cut off first. */
async function appendLines(path: string, deliveries: readonly Delivery[]): Promise<void> {
  await using file = await open(path, 'a+')
  const { size } = await file.stat()
  if (size > 0 && (await byteAt(file, size - 1)) !== NEWLINE) {
    await file.truncate((await readFile(path)).lastIndexOf(NEWLINE) + 1)
  }
  await file.appendFile(deliveries.map(({ entry }) => `${JSON.stringify(entry)}\n`).join(''))
  await file.datasync()
}

async function byteAt(file: FileHandle, position: number): Promise<number | undefined> {
  const { buffer } = await file.read({ buffer: Buffer.alloc(1), position })
  return buffer[0]
}

async function wholeLines(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

function holdsEntry(lines: string, jobId: string): boolean {
  return lines.includes(`"job_id":${JSON.stringify(jobId)}`)
}

/** Takes or renews the right to write. */
async function holdLease({ redis, keys, recorderId }: RecorderOptions): Promise<boolean> {
  const key = keys.lease('recorder')
  if ((await redis.set(key, recorderId, 'PX', LEASE_MS, 'NX')) === 'OK') return true
  if ((await redis.get(key)) !== recorderId) return false
  return (await redis.pexpire(key, LEASE_MS)) === 1
}

async function releaseLease({ redis, keys, recorderId }: RecorderOptions): Promise<void> {
  const key = keys.lease('recorder')
  if ((await redis.get(key)) === recorderId) await redis.del(key)
}

interface Delivery {
  id: string
  entry: SessionEntry
  notes: NoteDraft[]
}

function entriesIn(reply: unknown): Delivery[] {
  const streams = (reply ?? []) as [string, [string, string[] | null][]][]
  return (streams[0]?.[1] ?? []).flatMap(([id, fields]) => {
    if (fields === null) return []
    const [, entry, , notes] = fields
    return [{ id, entry: JSON.parse(entry!), notes: JSON.parse(notes ?? '[]') }]
  })
}

function ignoreBusyGroup(error: Error): void {
  if (!error.message.includes('BUSYGROUP')) throw error
}

import { open, readdir, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'

const LOOK_AGAIN_MS = 10

interface Sizes {
  base: number
  written: number
  buffered: number
}

/**
 * Resolves when all that Redis has answered so far has been given to the system, and so survives the end of its process.
 * While a sync of its file takes long, Redis answers before it writes, by up to two seconds.
 */
export async function untilWritten(redis: Redis, signal: AbortSignal): Promise<void> {
  const first = await sizesOf(redis)
  let now = first
  while (now.buffered > 0 && now.written < first.written + first.buffered) {
    await pause(LOOK_AGAIN_MS, undefined, { signal })
    now = await sizesOf(redis)
    // The file was rewritten meanwhile: sizes do not compare any more.
    if (now.base !== first.base) return untilWritten(redis, signal)
  }
}

async function sizesOf(redis: Redis): Promise<Sizes> {
  const info = await redis.info('persistence')
  const of = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  return {
    base: of('aof_base_size'),
    written: of('aof_current_size'),
    buffered: of('aof_buffer_length'),
  }
}

/**
 * What puts the append-only file of Redis on the disk, when its process runs on this machine and its files can be read;
 * null elsewhere. That costs Redis nothing, unlike its own `appendfsync always`.
 */
export async function findAofFolder(redis: Redis): Promise<string | null> {
  try {
    const info = await redis.info('server')
    const pid = /^process_id:(\d+)/m.exec(info)?.[1]
    const [, dir] = (await redis.config('GET', 'dir')) as string[]
    const [, name] = (await redis.config('GET', 'appenddirname')) as string[]
    if (!pid || !dir || !name) return null
    // A process of that number here, working in that very folder, is the server and no namesake.
    if ((await readlink(`/proc/${pid}/cwd`)) !== (await realpath(dir))) return null
    const folder = join(dir, name)
    return (await syncAof(folder)) > 0 ? folder : null
  } catch {
    return null
  }
}

/** Puts all that was written to the append-only files in a folder on the disk; returns how many there are. */
export async function syncAof(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.incr.aof'))
  await Promise.all(files.map((file) => syncFile(join(folder, file))))
  return files.length
}

async function syncFile(path: string): Promise<void> {
  try {
    await using file = await open(path, 'r')
    await file.datasync()
  } catch (error) {
    // Redis drops a file when all of it is on the disk in another one.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

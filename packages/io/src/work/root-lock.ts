import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const BUSY = 5
const POLL_MS = 20
const PATIENCE_MS = 60_000

/**
 * Does some work while nobody else of this machine works on the same root. The lock is SQLite's on an empty file: the
 * system takes it back when its holder dies, so no stale lock is ever left.
 * @throws when the lock cannot be had within a minute
 */
export async function withRootLock<T>(
  locksDir: string,
  root: string,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(locksDir, { recursive: true })
  const name = createHash('sha256').update(root).digest('hex').slice(0, 32)
  const lock = new DatabaseSync(join(locksDir, name))
  try {
    lock.exec('PRAGMA busy_timeout = 0')
    for (let waitedMs = 0; !tryLock(lock); waitedMs += POLL_MS) {
      if (waitedMs > PATIENCE_MS)
        throw new Error(`somebody else has been changing ${root} too long`)
      await sleep(POLL_MS)
    }
    return await work()
  } finally {
    lock.close()
  }
}

function tryLock(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return false
    throw error
  }
}

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '@hyperguild/core/errors.ts'

const LOCK = '.owner.lock'
const OWNER = '.owner.json'

export interface OwnerLock {
  release(): void
}

/**
 * Makes this process the one owner of a folder. The lock is SQLite's on an empty file: the kernel drops it when the
 * process dies, however it dies, so it is never stale, also across containers that share the folder (where process
 * ids prove nothing). The file beside it only tells people who holds it.
 * @throws {ConfigError} naming the owner when there is one already
 */
export function takeOwnership(dir: string, now: () => number): OwnerLock {
  const lock = new DatabaseSync(join(dir, LOCK), { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    throw refusal(dir, error)
  }
  const owner = { pid: process.pid, host: hostname(), since: new Date(now()).toISOString() }
  writeFileSync(join(dir, OWNER), `${JSON.stringify(owner)}\n`)
  return {
    release() {
      if (!lock.isOpen) return
      rmSync(join(dir, OWNER), { force: true })
      lock.close()
    },
  }
}

const SQLITE_BUSY = 5

function refusal(dir: string, error: unknown): Error {
  const code = (error as { errcode?: unknown }).errcode
  if (code !== SQLITE_BUSY) {
    return new ConfigError(`${dir}: cannot be locked: ${(error as Error).message}`)
  }
  return new ConfigError(
    `${dir}: another process owns this brain (${describeOwner(dir)}); stop it, or set SUPERVISOR_BRAIN_DIR to another folder`,
  )
}

function describeOwner(dir: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(join(dir, OWNER), 'utf8'))
    return `pid ${pid} on ${host} since ${since}`
  } catch {
    return 'it has not written its pid yet'
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { type ChaosFleet, REDIS_PREFIX } from './fleet.ts'

const SETTLE_MS = 90_000

/** What only open jobs have in Redis. */
const OF_OPEN_JOBS =
  /:(open|steps|waiters|wait|paused|active|delayed|prioritized|waiting-children)$/

/** Waits until every job is written down and nothing of open jobs is left; then tells what would not go. */
export async function settle(fleet: ChaosFleet): Promise<string[]> {
  const redis = connectRedis(fleet.redisUrl, 'chaos-settle', 'wait')
  const keys = keysFor(REDIS_PREFIX)
  const giveUpAtMs = Date.now() + SETTLE_MS
  try {
    for (;;) {
      const open = (await redis.keys(`${keys.prefix}:*`)).filter((key) => OF_OPEN_JOBS.test(key))
      const unwritten = await redis.xlen(keys.entries)
      const folders = await readdir(fleet.jobsDir).catch(() => [])
      const left = [
        ...open.map((key) => `key ${key}`),
        ...(unwritten > 0 ? [`${unwritten} entries not written to the log`] : []),
        ...folders.map((folder) => `workspace ${folder}`),
      ]
      if (left.length === 0 || Date.now() > giveUpAtMs) return left
      await pause(500)
    }
  } finally {
    redis.disconnect()
  }
}

/** Processes that were told of a folder in their environment or arguments; none where the system does not tell. */
export function processesAt(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) =>
      (readOrEmpty(`/proc/${pid}/environ`) + readOrEmpty(`/proc/${pid}/cmdline`)).includes(folder),
    )
    .map((pid) => `process ${pid}: ${readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

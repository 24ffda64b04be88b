import type { Keys } from '@hyperguild/io/queue/keys.ts'
import type { Redis } from 'ioredis'

/** What `/readyz` tells. Only Redis makes a gateway unready: jobs go on while the session log cannot be written. */
export interface Health {
  status: 'ok' | 'not ready'
  redis: boolean
  recorder: {
    /** Finished jobs that are not in the session log yet; null when nobody can tell. */
    waiting: number | null
    /** Why the log cannot be written, in a word; null when nothing is known to be wrong. */
    problem: string | null
  }
}

/** @param recorderProblem of the newest write; it is over when nothing waits to be written any more */
export async function healthOf(
  { redis, keys }: { redis: Redis; keys: Keys },
  recorderProblem: string | null,
): Promise<Health> {
  try {
    const waiting = await redis.xlen(keys.entries)
    const problem = waiting > 0 ? recorderProblem : null
    return { status: 'ok', redis: true, recorder: { waiting, problem } }
  } catch {
    return { status: 'not ready', redis: false, recorder: { waiting: null, problem: null } }
  }
}

import { type RecorderState, readRecorderState } from '@hyperguild/io/log/recorder-state.ts'
import type { Keys } from '@hyperguild/io/queue/keys.ts'
import { redisTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import type { RedisCondition } from '@hyperguild/io/queue/redis-watch.ts'
import type { Redis } from 'ioredis'

/** What `/readyz` tells. Only Redis makes a gateway unready: jobs go on while the session log cannot be written. */
export interface Health {
  /** `busy`: open jobs go on and can be asked for, new ones are refused for now. */
  status: 'ok' | 'busy' | 'not ready'
  redis: boolean
  /** Why no new job is taken; null when jobs are. */
  trouble: string | null
  recorder: {
    /** Finished jobs that are not in the session log yet; null when nobody can tell. */
    waiting: number | null
    /** Why the log cannot be written, in a word; null when nothing is known to be wrong. */
    problem: string | null
  }
}

export async function healthOf(
  { redis, keys }: { redis: Redis; keys: Keys },
  { isUsable, trouble }: RedisCondition,
): Promise<Health> {
  try {
    const recorder = recorderHealth(await readRecorderState(redis, keys))
    if (!isUsable) return { status: 'not ready', redis: false, trouble, recorder }
    return { status: trouble === null ? 'ok' : 'busy', redis: true, trouble, recorder }
  } catch (error) {
    const why = redisTrouble(error) ?? 'it does not answer'
    const recorder = { waiting: null, problem: null }
    return { status: 'not ready', redis: false, trouble: why, recorder }
  }
}

/** Health is open to everybody, so paths stay out of it. */
function recorderHealth({ waiting, problem }: RecorderState): Health['recorder'] {
  return { waiting, problem: waiting > 0 && problem ? problem.code : null }
}

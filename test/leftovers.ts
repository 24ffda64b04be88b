import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { inject } from 'vitest'

/** What only open jobs have: a place among them, steps, waiters, an entry in a queue. Redis drops empty keys itself. */
const OF_OPEN_JOBS =
  /:(open|steps|waiters|wait|paused|active|delayed|prioritized|waiting-children|failed)$/

/** Every Redis key of a fleet, sorted. */
export async function keysOf({ redisPrefix }: { redisPrefix: string }): Promise<string[]> {
  const redis = connectRedis(inject('redisUrl'), 'leftovers', 'wait')
  try {
    return (await redis.keys(`{${redisPrefix}}:*`)).toSorted()
  } finally {
    redis.disconnect()
  }
}

/** The keys that show an open job or a queued step; none once every job has ended. */
export async function leftoversOf(fleet: { redisPrefix: string }): Promise<string[]> {
  return (await keysOf(fleet)).filter((key) => OF_OPEN_JOBS.test(key))
}

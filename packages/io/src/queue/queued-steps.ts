import { queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

/** Whether each of these steps waits in its queue or is under way, seen in one round trip. */
export async function areQueued(
  redis: Redis,
  keys: Keys,
  steps: readonly StepRef[],
): Promise<boolean[]> {
  if (steps.length === 0) return []
  const looking = redis.pipeline()
  for (const step of steps) {
    const key = `${keys.prefix}:${queueOfStep(step)}:${stepIdOf(step)}`
    looking.hmget(key, 'timestamp', 'finishedOn')
  }
  const replies = (await looking.exec()) ?? []
  return replies.map(([error, fields]) => {
    if (error) throw error
    const [queuedAt, finishedAt] = fields as (string | null)[]
    return queuedAt !== null && finishedAt === null
  })
}

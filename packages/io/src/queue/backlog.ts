import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

/** What waits in one queue. */
export interface Backlog {
  queue: string
  waiting: number
  active: number
  delayed: number
  prioritized: number
  /** When the step that is next came into the queue; null when nothing waits. */
  nextSinceMs: number | null
  /** Nothing may begin: the queue is paused, or over a rate limit. */
  isHeld: boolean
  /** How many steps may be active at once, on all workers together; null for no limit. */
  atOnce: number | null
}

/** What BullMQ's limiter counts to when a queue is held; see the limiter of job-queue.ts. */
const HELD_FROM = 1_000_000_000

/** Looks at queues in two round trips, with commands whose cost does not grow with the queues. */
export async function readBacklogs(
  redis: Redis,
  keys: Keys,
  queues: readonly string[],
): Promise<Backlog[]> {
  const looks = redis.pipeline()
  for (const queue of queues) {
    const at = (part: string) => `${keys.prefix}:${queue}:${part}`
    looks.llen(at('wait')).llen(at('active')).zcard(at('delayed')).zcard(at('prioritized'))
    looks.hmget(at('meta'), 'paused', 'concurrency').get(at('limiter')).lindex(at('wait'), -1)
  }
  const replies = await repliesOf(looks)
  const found = queues.map((queue, index) => backlogFrom(queue, replies.slice(index * 7)))
  const ages = redis.pipeline()
  for (const { queue, nextId } of found) {
    ages.hget(`${keys.prefix}:${queue}:${nextId ?? ''}`, 'timestamp')
  }
  const since = await repliesOf(ages)
  return found.map(({ nextId, ...backlog }, index) => ({
    ...backlog,
    nextSinceMs: nextId === null || since[index] === null ? null : Number(since[index]),
  }))
}

type Text = string | null
type Look = [number, number, number, number, [paused: Text, concurrency: Text], Text, Text]

function backlogFrom(queue: string, replies: readonly unknown[]) {
  const [waiting, active, delayed, prioritized, meta, limiter, nextId] = replies as Look
  const [paused, concurrency] = meta
  return {
    queue,
    waiting,
    active,
    delayed,
    prioritized,
    isHeld: paused !== null || Number(limiter ?? 0) >= HELD_FROM,
    atOnce: concurrency === null ? null : Number(concurrency),
    nextId,
  }
}

/** @throws the first error among the replies */
async function repliesOf(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

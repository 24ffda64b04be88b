import type { Pool } from '@hyperguild/core/model.ts'
import { applyQueueOf, queueOf } from '@hyperguild/core/model.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

const BEAT_MS = 3_000
/** A worker that has not been heard of for so long serves nothing. */
const SILENT_MS = 10_000
const FORGOTTEN_MS = 3_600_000

/** What a worker tells of itself. */
export interface WorkerCard {
  id: string
  pool: Pool
  models: readonly string[]
  host: string
  pid: number
  startedAtMs: number
  /** How its test runs are confined. */
  sandbox: string
  /** Its model server, without credentials, and whether it answered last time. */
  backend: { name: string; reachable: boolean; warm: readonly string[] }
}

export interface Presence {
  /** Stops beating and signs off at once. */
  close(): Promise<void>
}

/** Tells everybody, every few seconds, that this worker lives and which queues it serves. */
export async function announceWorker(
  redis: Redis,
  keys: Keys,
  card: () => WorkerCard,
  now: () => number,
): Promise<Presence> {
  const id = card().id
  const queues = [...card().models.map(queueOf), applyQueueOf(card().pool)]
  async function beat(): Promise<void> {
    const transaction = redis.multi()
    for (const queue of queues) {
      transaction.zadd(keys.serving(queue), now(), id)
      // Workers that were killed did not sign off.
      transaction.zremrangebyscore(keys.serving(queue), '-inf', now() - FORGOTTEN_MS)
    }
    transaction.hset(keys.workers, id, JSON.stringify({ ...card(), seenAtMs: now() }))
    await transaction.exec()
  }
  await beat()
  const timer = setInterval(() => void beat().catch(() => {}), BEAT_MS)
  return {
    async close() {
      clearInterval(timer)
      const transaction = redis.multi()
      for (const queue of queues) transaction.zrem(keys.serving(queue), id)
      await transaction.hdel(keys.workers, id).exec()
    },
  }
}

/** Whether any living worker takes steps of this queue. */
export async function isServed(
  redis: Redis,
  keys: Keys,
  queue: string,
  nowMs: number,
): Promise<boolean> {
  return (await redis.zcount(keys.serving(queue), nowMs - SILENT_MS, '+inf')) > 0
}

/** The living workers; cards of the dead are dropped. */
export async function livingWorkers(
  redis: Redis,
  keys: Keys,
  nowMs: number,
): Promise<WorkerCard[]> {
  const cards = Object.values(await redis.hgetall(keys.workers)).map(
    (text) => JSON.parse(text) as WorkerCard & { seenAtMs: number },
  )
  const dead = cards.filter((card) => card.seenAtMs < nowMs - SILENT_MS)
  if (dead.length > 0) await redis.hdel(keys.workers, ...dead.map((card) => card.id))
  return cards.filter((card) => !dead.includes(card))
}

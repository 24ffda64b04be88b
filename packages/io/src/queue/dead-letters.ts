import type { StepRef } from '@hyperguild/core/advance.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

/** The oldest make room. */
const LETTERS_KEPT = 1000

/** Who began a step, and when. */
export interface Start {
  worker: string
  atMs: number
}

/** A step that was given up because one worker after another died on it, with what is known of that. */
export interface DeadLetter {
  /** The step's own id. */
  id: string
  jobId: string
  step: number
  kind: StepRef['kind']
  model: string
  tool: string
  principal: string
  projectRoot: string
  /** The workers that began it and never came back. */
  starts: readonly Start[]
  givenUpAtMs: number
}

/** The steps that workers died on, for a person to look at. */
export interface DeadLetters {
  /** Adding one again changes nothing but its time. */
  add(letter: DeadLetter): Promise<void>
  /** Newest first. */
  list(limit: number): Promise<DeadLetter[]>
  get(id: string): Promise<DeadLetter | null>
  /** @returns whether there was one */
  drop(id: string): Promise<boolean>
}

export function createDeadLetters(redis: Redis, keys: Keys): DeadLetters {
  const { dead, deadLetters } = keys
  return {
    async add(letter) {
      const tooOld = await redis.zrange(dead, 0, `${-LETTERS_KEPT}`)
      const transaction = redis.multi()
      if (tooOld.length > 0) transaction.zrem(dead, ...tooOld).hdel(deadLetters, ...tooOld)
      await transaction
        .zadd(dead, letter.givenUpAtMs, letter.id)
        .hset(deadLetters, letter.id, JSON.stringify(letter))
        .exec()
    },

    async list(limit) {
      const ids = await redis.zrevrange(dead, 0, limit - 1)
      if (ids.length === 0) return []
      const texts = await redis.hmget(deadLetters, ...ids)
      return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as DeadLetter]))
    },

    async get(id) {
      const text = await redis.hget(deadLetters, id)
      return text === null ? null : (JSON.parse(text) as DeadLetter)
    },

    async drop(id) {
      const replies = await redis.multi().zrem(dead, id).hdel(deadLetters, id).exec()
      return replies?.some(([, removed]) => Number(removed) > 0) ?? false
    },
  }
}

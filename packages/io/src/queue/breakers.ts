import type { OpenBreaker } from '@hyperguild/core/health.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

/** A breaker that no worker has looked at for so long after its time has no worker any more. */
const OVERDUE_MS = 30_000
const LEASE_MS = 15_000

/** The breakers of all models, shared by everybody. A model without a record may be called. */
export interface Breakers {
  /** Why a model is not to be called now; null when it may be. */
  openFor(model: string): Promise<OpenBreaker | null>
  /** Every record by model, also those that let calls through on trial. */
  all(): Promise<Map<string, OpenBreaker>>
  get(model: string): Promise<OpenBreaker | null>
  set(model: string, breaker: OpenBreaker): Promise<void>
  remove(model: string): Promise<void>
  /** Runs something that one process at a time may do for a model; not at all while another one does. */
  alone(model: string, run: () => Promise<void>): Promise<void>
}

export function createBreakers(redis: Redis, keys: Keys, now: () => number): Breakers {
  async function get(model: string): Promise<OpenBreaker | null> {
    const text = await redis.hget(keys.breakers, model)
    return text === null ? null : (JSON.parse(text) as OpenBreaker)
  }

  return {
    get,

    async openFor(model) {
      const breaker = await get(model)
      return breaker && isShut(breaker, now()) ? breaker : null
    },

    async all() {
      const records = Object.entries(await redis.hgetall(keys.breakers))
      return new Map(records.map(([model, text]) => [model, JSON.parse(text) as OpenBreaker]))
    },

    async set(model, breaker) {
      await redis.hset(keys.breakers, model, JSON.stringify(breaker))
    },

    async remove(model) {
      await redis.hdel(keys.breakers, model)
    },

    async alone(model, run) {
      const key = keys.lease(`breaker:${model}`)
      const mine = crypto.randomUUID()
      if ((await redis.set(key, mine, 'PX', LEASE_MS, 'NX')) !== 'OK') return
      try {
        await run()
      } finally {
        if ((await redis.get(key)) === mine) await redis.del(key)
      }
    },
  }
}

function isShut({ state, untilMs }: OpenBreaker, nowMs: number): boolean {
  return state === 'open' && (untilMs === null || nowMs < untilMs + OVERDUE_MS)
}

import type { Redis } from 'ioredis'
import { redisTrouble } from './redis-trouble.ts'

const LOOK_MS = 1_000
/** At the limit itself Redis refuses even what would finish jobs, and with them free memory. */
const FULL_AT = 0.8

/** How Redis was when it was last looked at. */
export interface RedisCondition {
  /** Whether it answers, and may be written to. */
  isUsable: boolean
  /** Why no new job can be taken, in one clause; null when jobs can. */
  trouble: string | null
}

/** Knows before a call asks whether Redis can take one more job. */
export interface RedisWatch {
  condition(): RedisCondition
  close(): Promise<void>
}

/** Looks at Redis once a second, the first time before this resolves. `redis` must not wait for one that is away. */
export async function watchRedis(redis: Redis): Promise<RedisWatch> {
  let condition = await lookAt(redis)
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking.then(async () => {
      condition = await lookAt(redis)
    })
  }, LOOK_MS)
  return {
    condition: () => condition,
    async close() {
      clearInterval(timer)
      await looking
    },
  }
}

async function lookAt(redis: Redis): Promise<RedisCondition> {
  try {
    return conditionFrom(await redis.info('memory', 'persistence', 'replication'))
  } catch (error) {
    return { isUsable: false, trouble: redisTrouble(error) ?? 'it does not answer' }
  }
}

/** What an answer of INFO says of new jobs. */
export function conditionFrom(info: string): RedisCondition {
  const of = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
  if (of('loading') === '1' || of('async_loading') === '1') {
    return { isUsable: false, trouble: 'it still reads its data after a start' }
  }
  if (of('role') === 'slave') {
    return { isUsable: false, trouble: 'it is a replica and takes no writes' }
  }
  if (of('aof_last_write_status') === 'err') {
    return { isUsable: false, trouble: 'it cannot write to its disk' }
  }
  const limit = Number(of('maxmemory') ?? 0)
  const used = Number(of('used_memory')) - Number(of('mem_not_counted_for_evict') ?? 0)
  if (limit === 0 || used < FULL_AT * limit) return { isUsable: true, trouble: null }
  const share = Math.floor((used / limit) * 100)
  return {
    isUsable: true,
    trouble: `${share} % of its memory is used, and a part is kept for the jobs that are open`,
  }
}

import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { REDIS_PREFIX } from './fleet.ts'
import type { Kill } from './havoc.ts'

interface Start {
  worker: string
  atMs: number
}

/** How long it took from the death of a worker until the steps it was at began elsewhere; milliseconds. */
export async function recoveriesAfter(
  redisUrl: string,
  jobIds: readonly string[],
  kills: readonly Kill[],
): Promise<number[]> {
  const redis = connectRedis(redisUrl, 'chaos-recovery', 'wait')
  const keys = keysFor(REDIS_PREFIX)
  try {
    const reading = redis.pipeline()
    for (const id of jobIds) reading.hgetall(keys.job(id))
    const records = (await reading.exec()) ?? []
    return records.flatMap(([, fields]) =>
      Object.entries((fields ?? {}) as Record<string, string>)
        .filter(([name]) => name.startsWith('starters:'))
        .flatMap(([, text]) => gapsIn(JSON.parse(text) as Start[], kills)),
    )
  } finally {
    redis.disconnect()
  }
}

/** The id of a worker ends in the number of its process and a random part. */
function gapsIn(starts: readonly Start[], kills: readonly Kill[]): number[] {
  return starts.slice(0, -1).flatMap(({ worker }, index) => {
    const pid = Number(worker.split('-').at(-2))
    const kill = kills.find((one) => one.pid === pid && one.name.includes('worker'))
    return kill ? [starts[index + 1]!.atMs - kill.atMs] : []
  })
}

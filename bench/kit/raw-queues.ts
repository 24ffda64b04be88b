import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { searchPath } from '@hyperguild/io/config/environment.ts'
import { startChild } from '@hyperguild/io/process/child-service.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Keep } from './scenario.ts'

const WORKER = fileURLToPath(new URL('raw-worker.ts', import.meta.url))
const QUEUES = ['one', 'two']

/** About what one of our jobs holds. */
const PAYLOAD = 'x'.repeat(1000)

/** BullMQ alone: two queues with a worker process each, as the fleet's two pools, and one stream of notices. */
export interface RawQueues {
  /** Queues a job that does nothing and waits for the notice that it is done. */
  runJob(lane: number): Promise<void>
}

export async function startRawQueues(
  { keep }: { keep: Keep },
  options: { redisUrl: string; concurrency: number },
): Promise<RawQueues> {
  const { redisUrl, concurrency } = options
  const prefix = `{raw-${randomUUID()}}`
  const inbox = `${prefix}:inbox`
  for (const name of QUEUES) {
    const args = [redisUrl, prefix, name, inbox, String(concurrency)]
    const environment = { PATH: searchPath() }
    keep(await startChild({ name: `raw worker ${name}`, script: WORKER, args, environment }))
  }
  const redis = connectRedis(redisUrl, 'bench-raw', 'fail_fast')
  keep({ close: async () => redis.disconnect() })
  const queues = QUEUES.map((name) => keep(rawQueue(name, prefix, redis)))
  const notices = keep(readNotices(redisUrl, inbox))
  let count = 0
  return {
    async runJob(lane) {
      const jobId = `raw-${++count}`
      const done = notices.wait(jobId)
      await queues[lane % queues.length]!.add('nothing', { jobId, payload: PAYLOAD }, { jobId })
      await done
    },
  }
}

function rawQueue(name: string, prefix: string, connection: Redis): Queue {
  const kept = { age: 3600, count: 1000 }
  const options = { attempts: 1, removeOnComplete: kept }
  return new Queue(name, { connection, prefix, defaultJobOptions: options })
}

/** One blocked connection that hears of every job that is done. */
function readNotices(redisUrl: string, inbox: string) {
  const blocking = connectRedis(redisUrl, 'bench-raw-inbox', 'wait')
  const waiting = new Map<string, () => void>()
  let lastId = '0-0'
  let closed = false
  const reading = (async () => {
    while (!closed) {
      const reply = await blocking
        .xread('COUNT', 500, 'BLOCK', 5000, 'STREAMS', inbox, lastId)
        .catch(() => null)
      for (const [id, [, jobId]] of reply?.[0]?.[1] ?? []) {
        lastId = id
        waiting.get(jobId!)?.()
        waiting.delete(jobId!)
      }
    }
  })()
  return {
    wait: (jobId: string) => new Promise<void>((resolve) => waiting.set(jobId, resolve)),
    async close() {
      closed = true
      blocking.disconnect()
      await reading
    },
  }
}

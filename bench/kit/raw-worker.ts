import { runService } from '@hyperguild/io/process/service.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { Worker } from 'bullmq'

const [redisUrl, prefix, queue, inbox, concurrency] = process.argv.slice(2) as string[]

// What BullMQ alone can do: each job does nothing but write the notice that it is done into one stream.
await runService(async () => {
  const redis = connectRedis(redisUrl!, 'bench-raw', 'wait')
  const worker = new Worker<{ jobId: string }>(
    queue!,
    async (job) => {
      await redis.xadd(inbox!, 'MAXLEN', '~', 10_000, '*', 'job', job.data.jobId)
    },
    {
      connection: redis,
      prefix: prefix!,
      concurrency: Number(concurrency),
      lockDuration: 10_000,
      stalledInterval: 5_000,
    },
  )
  await worker.waitUntilReady()
  return {
    async close() {
      await worker.close()
      redis.disconnect()
    },
  }
})

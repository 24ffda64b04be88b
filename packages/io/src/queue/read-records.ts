import type { Underway } from '@hyperguild/core/cancel.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Job } from '@hyperguild/core/job.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import type { Step } from '@hyperguild/core/step.ts'
import { isOfLaterVersion, upToDate } from '@hyperguild/core/stored-job.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

export interface JobRecord {
  job: Job
  /** Empty once the job has its result. */
  steps: Step[]
  result: JobResult | null
  /** The step begun last; null before the first. */
  underway: Underway | null
}

/** What reading a record comes to: `later` is one that cannot be understood here; null when there is none. */
export type ReadRecord = JobRecord | 'later' | null

/** A job that a later version of hyperguild submitted; gateways and workers of that version know what to do with it. */
export class LaterVersion extends RequestError {
  constructor(jobId: string) {
    const text = `job ${jobId} was submitted by a later version of hyperguild than this one; ask again when all are updated`
    super('busy', text, { retryAfterMs: 5_000 })
    this.name = 'LaterVersion'
  }
}

/** Reads records in one round trip, each as it stood at one moment. */
export async function readRecords(
  redis: Redis,
  keys: Keys,
  jobIds: readonly string[],
): Promise<ReadRecord[]> {
  if (jobIds.length === 0) return []
  const reading = redis.multi()
  for (const jobId of jobIds) {
    reading.hmget(keys.job(jobId), 'job', 'result', 'underway')
    reading.lrange(keys.steps(jobId), 0, -1)
  }
  const replies = (await reading.exec()) ?? []
  const values = replies.map(([error, value]) => {
    if (error) throw error
    return value
  })
  return jobIds.map((_, index) =>
    recordFrom(values[index * 2] as (string | null)[], values[index * 2 + 1] as string[]),
  )
}

function recordFrom([job, result, underway]: (string | null)[], steps: string[]): ReadRecord {
  if (!job) return null
  const stored = JSON.parse(job) as Job
  if (isOfLaterVersion(stored)) return 'later'
  return {
    job: upToDate(stored),
    steps: steps.map((step) => JSON.parse(step) as Step),
    result: result ? (JSON.parse(result) as JobResult) : null,
    underway: underway ? (JSON.parse(underway) as Underway) : null,
  }
}

import { RequestError } from '@hyperguild/core/errors.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

const MINUTE_MS = 60_000
/** Where the number of open jobs is what stands in the way, this is when to look again. */
const OPEN_RETRY_MS = 5_000

export interface QuotaLimits {
  callsPerMinute: number
  openJobs: number
}

/**
 * Lets a principal start one more job, or says when to come back. Counted in Redis, so for all gateways together.
 * @throws {RequestError} `busy`, with the time to wait
 */
export async function admitCall(
  { redis, keys, now }: { redis: Redis; keys: Keys; now(): number },
  principal: string,
  limits: QuotaLimits,
): Promise<void> {
  const minute = Math.floor(now() / MINUTE_MS)
  const counter = keys.calls(principal, minute)
  const replies = await redis
    .multi()
    .incr(counter)
    .pexpire(counter, 2 * MINUTE_MS)
    .zintercard(2, keys.jobsOf(principal), keys.open, 'LIMIT', limits.openJobs)
    .exec()
  const [calls, , open] = (replies ?? []).map(([, value]) => Number(value))
  if (calls! > limits.callsPerMinute) {
    throw new RequestError(
      'busy',
      `${limits.callsPerMinute} jobs were started in this minute, which is the limit; try again in the next`,
      { retryAfterMs: (minute + 1) * MINUTE_MS - now() },
    )
  }
  if (open! >= limits.openJobs) {
    throw new RequestError(
      'busy',
      `${limits.openJobs} jobs of yours are open, which is the limit; wait for one, or cancel one`,
      { retryAfterMs: OPEN_RETRY_MS },
    )
  }
}

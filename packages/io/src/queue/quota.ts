import { RequestError } from '@hyperguild/core/errors.ts'
import { queueOf } from '@hyperguild/core/model.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

const MINUTE_MS = 60_000
/** Where the number of open jobs is what stands in the way, this is when to look again. */
const OPEN_RETRY_MS = 5_000

export interface QuotaLimits {
  callsPerMinute: number
  openJobs: number
  /** Steps that may wait for one model. */
  queueLimit: number
}

/** A job that somebody wants to start: whose it is, and the model that its first step waits for. */
export interface Wanted {
  principal: string
  model: string
}

/**
 * Lets a principal start one more job, or says when to come back. Counted in Redis, so for all gateways together.
 * @throws {RequestError} `busy`, with the time to wait
 */
export async function admitCall(
  { redis, keys, now }: { redis: Redis; keys: Keys; now(): number },
  { principal, model }: Wanted,
  limits: QuotaLimits,
): Promise<void> {
  const minute = Math.floor(now() / MINUTE_MS)
  const counter = keys.calls(principal, minute)
  const partOf = (part: string) => `${keys.prefix}:${queueOf(model)}:${part}`
  const replies = await redis
    .multi()
    .incr(counter)
    .pexpire(counter, 2 * MINUTE_MS)
    .zintercard(2, keys.jobsOf(principal), keys.open, 'LIMIT', limits.openJobs)
    .llen(partOf('wait'))
    .zcard(partOf('delayed'))
    .exec()
  const [calls, , open, waiting, delayed] = (replies ?? []).map(([, value]) => Number(value))
  if (calls! > limits.callsPerMinute) {
    const text = `${limits.callsPerMinute} jobs were started in this minute, which is the limit; try again in the next`
    throw busy(text, (minute + 1) * MINUTE_MS - now())
  }
  if (open! >= limits.openJobs) {
    const text = `${limits.openJobs} jobs of yours are open, which is the limit; wait for one, or cancel one`
    throw busy(text, OPEN_RETRY_MS)
  }
  if (waiting! + delayed! >= limits.queueLimit) {
    const text = `${waiting! + delayed!} steps wait for ${model} already, and the limit is ${limits.queueLimit}; try again later, or name another model`
    throw busy(text, OPEN_RETRY_MS)
  }
}

function busy(message: string, retryAfterMs: number): RequestError {
  return new RequestError('busy', message, { retryAfterMs })
}

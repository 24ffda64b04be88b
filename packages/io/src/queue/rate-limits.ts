import { queueOfStep, type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { CallLimits } from '@hyperguild/core/call-limits.ts'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'
import { defineScripts } from './scripts.ts'

/** How soon a step asks again for a place at a backend that has none free. */
const PLACE_WAIT_MS = 250

/** The limits of models and backends, kept for all workers together. */
export interface RateLimits {
  /** Takes what a step needs to begin; else the milliseconds its queue is to wait. */
  admit(step: StepRef): Promise<number>
  /** Books a call. What is used too much is missing for the steps that come after. */
  charge(model: string, used: { requests: number; tokens: number }): Promise<void>
  /** Gives a step's places back. */
  release(step: StepRef): Promise<void>
}

export function createRateLimits(
  redis: Redis,
  keys: Keys,
  options: { limitsOf(model: string): readonly CallLimits[]; now(): number },
): RateLimits {
  defineScripts(redis)
  const { limitsOf, now } = options
  const leaseOf = (step: StepRef) => keys.lock(queueOfStep(step), stepIdOf(step))
  return {
    async admit(step) {
      const limits = limitsOf(step.model)
      if (limits.length === 0) return 0
      const at = limits.flatMap(({ scope }) => [keys.budgets(scope), keys.places(scope)])
      const allowed = limits.flatMap((one) => [
        one.parallelCalls ?? '',
        one.requestsPerMinute ?? '',
        one.tokensPerMinute ?? '',
      ])
      return redis.hgAdmit(at.length, ...at, now(), leaseOf(step), PLACE_WAIT_MS, ...allowed)
    },

    async charge(model, { requests, tokens }) {
      const limits = limitsOf(model)
      if (limits.length === 0) return
      const at = limits.map(({ scope }) => keys.budgets(scope))
      const allowed = limits.flatMap((one) => [
        one.requestsPerMinute ?? '',
        one.tokensPerMinute ?? '',
      ])
      await redis.hgCharge(at.length, ...at, now(), requests, tokens, ...allowed)
    },

    async release(step) {
      const scopes = limitsOf(step.model).filter((one) => one.parallelCalls !== null)
      await Promise.all(scopes.map(({ scope }) => redis.srem(keys.places(scope), leaseOf(step))))
    },
  }
}

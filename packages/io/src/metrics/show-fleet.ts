import { applyQueueOf, POOLS, queueOf } from '@hyperguild/core/model.ts'
import type { Redis } from 'ioredis'
import { type Backlog, readBacklogs } from '../queue/backlog.ts'
import { createBreakers } from '../queue/breakers.ts'
import type { Keys } from '../queue/keys.ts'
import { livingWorkers } from '../queue/presence.ts'
import type { Metrics } from './metrics.ts'
import type { NamesOf } from './table.ts'

/** What is read from Redis; without Redis it is left out, for old numbers would be believed. */
const FROM_REDIS = [
  'hyperguild_queue_steps',
  'hyperguild_queue_oldest_age_seconds',
  'hyperguild_queue_held',
  'hyperguild_open_jobs',
  'hyperguild_recorder_lag_entries',
  'hyperguild_breaker_open',
  'hyperguild_workers',
] as const satisfies readonly NamesOf<'gauge'>[]

export interface FleetView {
  redis: Redis
  keys: Keys
  /** Those of the configuration. */
  models: readonly string[]
  now(): number
}

/** Brings the state of the whole fleet into a process's metrics each time they are asked for. */
export function showFleet(metrics: Metrics, view: FleetView): void {
  metrics.beforeRender(async () => {
    for (const name of FROM_REDIS) metrics.clear(name)
    try {
      await Promise.all([showQueues(metrics, view), showRest(metrics, view)])
      metrics.set('hyperguild_redis_up', {}, 1)
    } catch {
      metrics.set('hyperguild_redis_up', {}, 0)
    }
  })
}

async function showQueues(metrics: Metrics, { redis, keys, models, now }: FleetView) {
  const queues = [...models.map(queueOf), ...POOLS.map(applyQueueOf)]
  for (const backlog of await readBacklogs(redis, keys, queues)) showQueue(metrics, backlog, now())
}

function showQueue(metrics: Metrics, backlog: Backlog, nowMs: number): void {
  const { queue, waiting, active, delayed, prioritized, nextSinceMs, isHeld } = backlog
  for (const [state, steps] of Object.entries({ wait: waiting, active, delayed, prioritized })) {
    metrics.set('hyperguild_queue_steps', { queue, state }, steps)
  }
  const ageMs = nextSinceMs === null ? 0 : Math.max(0, nowMs - nextSinceMs)
  metrics.set('hyperguild_queue_oldest_age_seconds', { queue }, ageMs / 1000)
  metrics.set('hyperguild_queue_held', { queue }, isHeld ? 1 : 0)
}

async function showRest(metrics: Metrics, { redis, keys, models, now }: FleetView) {
  const [openJobs, entries, workers, breakers] = await Promise.all([
    redis.zcard(keys.open),
    redis.xlen(keys.entries),
    livingWorkers(redis, keys, now()),
    createBreakers(redis, keys, now).all(),
  ])
  metrics.set('hyperguild_open_jobs', {}, openJobs)
  metrics.set('hyperguild_recorder_lag_entries', {}, entries)
  for (const tier of POOLS) {
    metrics.set('hyperguild_workers', { tier }, workers.filter(({ pool }) => pool === tier).length)
  }
  for (const model of models) {
    const isOpen = breakers.get(model)?.state === 'open'
    metrics.set('hyperguild_breaker_open', { model }, isOpen ? 1 : 0)
  }
}

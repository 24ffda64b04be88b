import { modelsNamedIn } from '@hyperguild/core/models-config.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import { createMetrics, type Metrics } from '@hyperguild/io/metrics/metrics.ts'
import { showFleet } from '@hyperguild/io/metrics/show-fleet.ts'
import type { Keys } from '@hyperguild/io/queue/keys.ts'
import type { Hono } from 'hono'
import type { Redis } from 'ioredis'

/** What this gateway did, and the state of the whole fleet: every gateway tells the same of that. */
export function createGatewayMetrics(
  { models }: Config,
  view: { redis: Redis; keys: Keys; now(): number },
  version: string,
): Metrics {
  const metrics = createMetrics({ component: 'gateway', version })
  showFleet(metrics, { ...view, models: modelsNamedIn(models) })
  return metrics
}

/** For Prometheus. */
export function mountMetrics(app: Hono, metrics: Metrics, path: string): void {
  app.get(path, async (c) => {
    const { contentType, text } = await metrics.render()
    return c.body(text, 200, { 'Content-Type': contentType })
  })
}

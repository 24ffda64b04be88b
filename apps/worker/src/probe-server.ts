import type { Metrics } from '@hyperguild/io/metrics/metrics.ts'
import { Hono } from 'hono'

export interface ProbeState {
  /** For how long work has waited that this worker could have taken. */
  stalledMs(): number
  /** From which stall on this worker counts as broken. */
  stalledLimitMs: number
  isRedisUp(): Promise<boolean>
  metrics: Metrics
}

/**
 * What a worker tells over HTTP. A worker whose `/livez` fails should be started anew: it lives, has room, and yet takes no
 * work. Model servers are no part of either answer: one that is down must not take the workers of all others with it.
 */
export function createProbeApp(state: ProbeState): Hono {
  const app = new Hono()
  app.get('/livez', (c) => {
    const stalledMs = state.stalledMs()
    const isStalled = stalledMs >= state.stalledLimitMs
    const status = isStalled ? 'stalled' : 'ok'
    return c.json({ status, stalled_seconds: Math.round(stalledMs / 1000) }, isStalled ? 503 : 200)
  })
  app.get('/readyz', async (c) => {
    const redis = await state.isRedisUp()
    return c.json({ status: redis ? 'ok' : 'not ready', redis }, redis ? 200 : 503)
  })
  app.get('/metrics', async (c) => {
    const { contentType, text } = await state.metrics.render()
    return c.body(text, 200, { 'Content-Type': contentType })
  })
  return app
}

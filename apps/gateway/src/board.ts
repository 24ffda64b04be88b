import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { serveStatic } from '@hono/node-server/serve-static'
import { modelsNamedIn } from '@hyperguild/core/models-config.ts'
import type { Hono } from 'hono'
import type { GatewayDeps } from './deps.ts'

/** Bull Board over every model's queue, to look at only: cleaning a queue would break its deduplication. */
export function mountBoard(app: Hono, { queue, models }: GatewayDeps, path: string): void {
  const adapter = new HonoAdapter(serveStatic)
  adapter.setBasePath(path)
  createBullBoard({
    queues: modelsNamedIn(models).map(
      (model) => new BullMQAdapter(queue.queueFor(model), { readOnlyMode: true }),
    ),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'hyperguild' } },
  })
  app.route(path, adapter.registerPlugin())
  app.get(`${path}/`, (c) => c.redirect(path))
}

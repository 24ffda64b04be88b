import { Hono } from 'hono'
import { principalOf } from './auth.ts'
import { dropDead, listDead, readDead, retryDead } from './dead.ts'
import type { GatewayDeps } from './deps.ts'

const MOST_LISTED = 200

/** The steps that workers died on, for operators. */
export function createDeadRest(deps: GatewayDeps): Hono {
  const app = new Hono()
  app.get('/', async (c) => c.json({ dead: await listDead(deps, principalOf(c), MOST_LISTED) }))
  app.get('/:id', async (c) => c.json(await readDead(deps, principalOf(c), c.req.param('id'))))
  app.post('/:id/retry', async (c) =>
    c.json(await retryDead(deps, principalOf(c), c.req.param('id')), 202),
  )
  app.delete('/:id', async (c) => {
    await dropDead(deps, principalOf(c), c.req.param('id'))
    return c.json({ dropped: true })
  })
  return app
}

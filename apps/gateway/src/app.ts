import { createMcpHonoApp } from '@modelcontextprotocol/hono'
import type { Hono } from 'hono'
import { mountBoard } from './board.ts'
import type { GatewayDeps } from './deps.ts'
import { createMcpRoute } from './mcp.ts'

export interface AppOptions {
  host: string
  version: string
  /** Whether Redis answers now. */
  isRedisUp(): Promise<boolean>
}

/** The gateway's HTTP surface. */
export function createApp(deps: GatewayDeps, options: AppOptions): Hono {
  const app = createMcpHonoApp({ host: options.host })
  app.all('/mcp', createMcpRoute(deps, options.version))
  app.get('/livez', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const redis = await options.isRedisUp()
    return c.json({ status: redis ? 'ok' : 'not ready', redis }, redis ? 200 : 503)
  })
  mountBoard(app, deps, '/board')
  return app
}

import { createMcpHonoApp } from '@modelcontextprotocol/hono'
import type { Hono } from 'hono'
import { mountBoard } from './board.ts'
import type { GatewayDeps } from './deps.ts'
import { mountMcp } from './mcp.ts'
import type { McpOptions } from './mcp-session.ts'

export interface AppOptions {
  host: string
  mcp: McpOptions
  /** Whether Redis answers now. */
  isRedisUp(): Promise<boolean>
}

/** The gateway's HTTP surface. */
export async function createApp(deps: GatewayDeps, options: AppOptions): Promise<Hono> {
  const app = createMcpHonoApp({ host: options.host })
  await mountMcp(app, deps, options.mcp)
  app.get('/livez', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const redis = await options.isRedisUp()
    return c.json({ status: redis ? 'ok' : 'not ready', redis }, redis ? 200 : 503)
  })
  mountBoard(app, deps, '/board')
  return app
}

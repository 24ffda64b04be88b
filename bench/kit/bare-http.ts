import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { runService } from '@hyperguild/io/process/service.ts'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { type Context, Hono } from 'hono'

/** Results by method, as a gateway gave them. */
const results = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Readonly<
  Record<'tools/list' | 'tools/call', never>
>

// What the layers under the gateway can do: the same answers, from a bare route and from a bare handler of the SDK.
await runService(async () => {
  const app = new Hono()
  app.post('/hono', async (c) => {
    const { id, method } = await c.req.json<{ id: number; method: keyof typeof results }>()
    return c.json({ jsonrpc: '2.0', id, result: results[method] })
  })
  const handler = createMcpHandler(buildServer)
  app.post('/sdk', async (c: Context) =>
    handler.fetch(c.req.raw, { parsedBody: await c.req.raw.clone().json() }),
  )
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => void server.close(),
  }
})

function buildServer(): McpServer {
  const mcp = new McpServer(
    { name: 'bare', version: '0.0.0' },
    { capabilities: { tools: { listChanged: false } } },
  )
  mcp.server.setRequestHandler('tools/list', () => results['tools/list'])
  mcp.server.setRequestHandler('tools/call', () => results['tools/call'])
  return mcp
}

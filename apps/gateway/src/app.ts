import { isLoopbackHost } from '@hyperguild/core/loopback-host.ts'
import { SCOPES } from '@hyperguild/core/principal.ts'
import type { Metrics } from '@hyperguild/io/metrics/metrics.ts'
import { createMcpHonoApp } from '@modelcontextprotocol/hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { type AuthOptions, authenticate, requireScope } from './auth.ts'
import { METADATA_PATH } from './auth-options.ts'
import { mountBoard } from './board.ts'
import type { GatewayDeps } from './deps.ts'
import type { Health } from './health.ts'
import { mountMcp } from './mcp.ts'
import type { McpOptions } from './mcp-session.ts'
import { mountMetrics } from './metrics-route.ts'
import { openApiDocument } from './openapi.ts'
import { createRest } from './rest.ts'
import { tellProblems } from './rest-problems.ts'

export interface AppOptions {
  host: string
  version: string
  auth: AuthOptions
  /** Where clients reach this gateway, when that is not where it listens. */
  publicUrl: string | undefined
  /** Who issues tokens that are verified by key, for the metadata. */
  issuer: string | undefined
  mcp: McpOptions
  metrics: Metrics
  health(): Promise<Health>
}

/** The gateway's HTTP surface: first what machines of the same cluster ask for by address, then what clients call by name. */
export async function createApp(deps: GatewayDeps, options: AppOptions): Promise<Hono> {
  const guard = authenticate(options.auth)
  const app = new Hono()
  app.get('/livez', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const health = await options.health()
    return c.json(health, health.redis ? 200 : 503)
  })
  const named = await createNamed(deps, options, guard)
  // On loopback callers may need no token, and then only the check of names keeps web pages out.
  const scraped = isLoopbackHost(options.host) ? named : app
  scraped.use('/metrics', guard, requireScope('operate'))
  mountMetrics(scraped, options.metrics, '/metrics')
  app.route('/', named)
  return tellProblems(app)
}

/** What stands before `guard` is open: metadata, documentation. */
async function createNamed(
  deps: GatewayDeps,
  options: AppOptions,
  guard: MiddlewareHandler,
): Promise<Hono> {
  const app = createMcpHonoApp({ host: options.host, ...namesOf(options) })
  const openApi = openApiDocument(deps.skills, options.version)
  app.get('/openapi.json', (c) => c.json(openApi))
  const metadata = resourceMetadata(options)
  app.get(METADATA_PATH, (c) => c.json(metadata))
  app.get(`${METADATA_PATH}/mcp`, (c) => c.json(metadata))

  for (const path of ['/mcp', '/v1', '/board']) app.use(path, guard).use(`${path}/*`, guard)
  await mountMcp(app, deps, options.mcp)
  app.route('/v1', createRest(deps))
  app.use('/board', requireScope('operate')).use('/board/*', requireScope('operate'))
  mountBoard(app, deps, { path: '/board', publicPrefix: prefixOf(options.publicUrl) })
  return app
}

/** What a proxy takes off the front of a path before it passes the request on; empty without one. */
function prefixOf(publicUrl: string | undefined): string {
  return publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '')
}

/** @see https://www.rfc-editor.org/rfc/rfc9728 */
function resourceMetadata({ auth, issuer }: AppOptions) {
  return {
    resource: new URL('/mcp', auth.metadataUrl).href,
    ...(issuer ? { authorization_servers: [issuer] } : {}),
    bearer_methods_supported: ['header'],
    scopes_supported: SCOPES,
    resource_name: 'hyperguild',
  }
}

/** Behind a public name that name is the only one allowed, besides this machine's own. */
function namesOf({ host, publicUrl }: AppOptions): {
  allowedHosts?: string[]
  allowedOrigins?: string[]
} {
  if (publicUrl === undefined && isLoopbackHost(host)) return {}
  const names = ['localhost', '127.0.0.1', '[::1]']
  if (publicUrl !== undefined) names.push(new URL(publicUrl).hostname)
  else if (host !== '0.0.0.0' && host !== '::') names.push(host)
  else return { allowedOrigins: names }
  return { allowedHosts: names, allowedOrigins: names }
}

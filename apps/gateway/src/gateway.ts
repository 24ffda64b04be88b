import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { hostname } from 'node:os'
import { serve } from '@hono/node-server'
import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import { startRecorder } from '@hyperguild/io/log/recorder.ts'
import type { Service } from '@hyperguild/io/process/service.ts'
import { openInbox } from '@hyperguild/io/queue/inbox.ts'
import { createJobQueue } from '@hyperguild/io/queue/job-queue.ts'
import { createJobStore } from '@hyperguild/io/queue/job-store.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { isServed, livingWorkers } from '@hyperguild/io/queue/presence.ts'
import { connectRedis, requireUsableRedis } from '@hyperguild/io/queue/redis.ts'
import { startSweeper } from '@hyperguild/io/queue/sweeper.ts'
import { createApp } from './app.ts'
import type { GatewayDeps } from './deps.ts'

const REDIS_TIMEOUT_MS = 10_000

export interface GatewayOptions {
  environment: Environment
  config: Config
  log: Logger
  redisUrl: string
  version: string
}

/** Serves the skills over HTTP; also sweeps open jobs and writes the session log. */
export async function startGateway(options: GatewayOptions): Promise<Service> {
  const { environment, config, log, redisUrl } = options
  const gatewayId = `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
  const onError = (error: unknown) => log.warn({ err: error }, 'background_error')
  const open = (name: string, patience: 'fail_fast' | 'wait') =>
    connectRedis(redisUrl, `gateway-${name}`, patience).on('error', onError)
  const redis = open('commands', 'fail_fast')
  await requireUsableRedis(redis, REDIS_TIMEOUT_MS)
  const keys = keysFor(environment.redisPrefix)
  const store = createJobStore(redis, keys, environment.retentionSeconds * 1000)
  const queue = createJobQueue(redis, keys)
  const inbox = openInbox({
    redis,
    blocking: open('inbox', 'wait'),
    store,
    keys,
    gatewayId,
    onError,
  })
  const deps: GatewayDeps = {
    store,
    queue,
    inbox,
    skills: config.skills,
    models: config.models,
    sessionsDir: environment.sessionsDir,
    jobSeconds: environment.jobSeconds,
    unservedMs: environment.unservedMs,
    now: Date.now,
    livingWorkers: () => livingWorkers(redis, keys, Date.now()),
    log,
  }
  const app = createApp(deps, {
    host: environment.host,
    version: options.version,
    isRedisUp: () =>
      redis.ping().then(
        () => true,
        () => false,
      ),
  })
  const server = await listen(app.fetch, environment)
  const sweeper = startSweeper({
    store,
    queue,
    now: Date.now,
    isServed: (model) => isServed(redis, keys, model, Date.now()),
    unservedMs: environment.unservedMs,
    onError,
  })
  const recorder = startRecorder({
    redis,
    blocking: open('recorder', 'wait'),
    keys,
    sessionsDir: environment.sessionsDir,
    recorderId: gatewayId,
    onError,
  })
  const url = urlOf(server, environment.host)
  log.info({ url }, 'gateway_ready')
  return {
    url,
    async close() {
      server.close()
      await sweeper.close()
      await recorder.close()
      await inbox.close()
      server.closeAllConnections()
      await queue.close()
      redis.disconnect()
    },
  }
}

async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { port, host }: Environment,
): Promise<Server> {
  const server = serve({ fetch, port, hostname: host }) as Server
  // Answers may take as long as a job; only the reading of a request is bounded elsewhere.
  server.requestTimeout = 0
  try {
    if (!server.listening) await once(server, 'listening')
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, host, port)
  }
  return server
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new ConfigError(
      `SUPERVISOR_PORT: port ${port} on ${host} is taken; stop what uses it, or set SUPERVISOR_PORT to another port`,
    )
  }
  if (error.code === 'EACCES') {
    return new ConfigError(
      `SUPERVISOR_PORT: this user may not listen on port ${port}; choose one above 1023`,
    )
  }
  return new ConfigError(`HYPERGUILD_HOST: cannot listen on ${host}:${port} (${error.code})`)
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

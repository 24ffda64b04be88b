import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { ConfigError } from '@hyperguild/core/errors.ts'

type Fetch = (request: Request) => Response | Promise<Response>

export interface Listener {
  url: string
  /** Lets calls under way finish. */
  stopAccepting(): void
  /** Cuts every connection. */
  close(): void
}

/** @throws {ConfigError} when the address cannot be listened on */
export async function listen(
  fetch: Fetch,
  { host, port }: { host: string; port: number },
): Promise<Listener> {
  const server = serve({ fetch, port, hostname: host }) as Server
  // Answers may take as long as a job; only the reading of a request is bounded elsewhere.
  server.requestTimeout = 0
  try {
    if (!server.listening) await once(server, 'listening')
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, host, port)
  }
  return {
    url: urlOf(server, host),
    stopAccepting: () => server.close(),
    close: () => server.closeAllConnections(),
  }
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

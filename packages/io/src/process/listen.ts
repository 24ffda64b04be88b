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

/** The variables that say where to listen, for messages. */
export interface AddressVariables {
  host: string
  port: string
}

/** @throws {ConfigError} when the address cannot be listened on */
export async function listen(
  fetch: Fetch,
  { host, port }: { host: string; port: number },
  variables: AddressVariables,
): Promise<Listener> {
  const server = serve({ fetch, port, hostname: host }) as Server
  // Answers may take as long as a job; only the reading of a request is bounded elsewhere.
  server.requestTimeout = 0
  try {
    if (!server.listening) await once(server, 'listening')
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, { host, port }, variables)
  }
  return {
    url: urlOf(server, host),
    stopAccepting: () => server.close(),
    close: () => server.closeAllConnections(),
  }
}

function cannotListen(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
  variables: AddressVariables,
): Error {
  if (error.code === 'EADDRINUSE') {
    return new ConfigError(
      `${variables.port}: port ${port} on ${host} is taken; stop what uses it, or set ${variables.port} to another port`,
    )
  }
  if (error.code === 'EACCES') {
    return new ConfigError(
      `${variables.port}: this user may not listen on port ${port}; choose one above 1023`,
    )
  }
  return new ConfigError(`${variables.host}: cannot listen on ${host}:${port} (${error.code})`)
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

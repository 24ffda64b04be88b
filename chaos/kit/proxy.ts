import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A slow or broken wire to Redis. */
export interface Wire {
  url: string
  /** From now on everything takes so much longer. */
  delay(ms: number): void
  /** Breaks every connection. */
  cut(): void
  close(): Promise<void>
}

/** Passes everything on to the Redis at `redisUrl`, whether it is there now or not. */
export async function startProxy(redisUrl: string): Promise<Wire> {
  const { hostname, port } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  let delayMs = 0

  function pass(from: Socket, to: Socket): void {
    let passing = Promise.resolve()
    sockets.add(from)
    from.on('error', () => {})
    from.on('data', (chunk) => {
      passing = passing.then(async () => {
        if (delayMs > 0) await pause(delayMs)
        if (!to.destroyed) to.write(chunk)
      })
    })
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }

  const server = createServer((client) => {
    const redis = connect(Number(port), hostname)
    for (const socket of [client, redis]) socket.setNoDelay(true)
    pass(client, redis)
    pass(redis, client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const url = new URL(redisUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    delay(ms) {
      delayMs = ms
    },
    cut,
    async close() {
      server.close()
      cut()
    },
  }
}

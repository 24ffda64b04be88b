import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  /** The URL of a server as it looks from behind this proxy. */
  urlOf(serverUrl: string): string
  /** Where connections lead from now on; those that are open are cut. */
  leadTo(port: number): void
  /** Passes on whatever comes so much later, both ways. */
  delay(ms: number): void
  /** Passes nothing on any more, and says nothing of it; until `leadTo`. */
  freeze(): void
}

/** Stands between a client and a server on this machine; `rewrite` changes what the server says. */
export async function startTcpProxy(
  atEnd: (undo: () => Promise<void> | void) => void,
  port: number,
  rewrite: (said: Buffer) => Buffer = (said) => said,
): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let [target, delayMs, isFrozen] = [port, 0, false]
  const keep = (socket: Socket) => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const pass = (from: Socket, to: Socket, change = (said: Buffer) => said) => {
    from.on('close', () => to.destroy())
    from.on('data', (said: Buffer) => {
      if (isFrozen) return
      const send = () => to.write(change(said))
      if (delayMs > 0) setTimeout(send, delayMs)
      else send()
    })
  }
  const server = createServer((client) => {
    const upstream = keep(connect(target, '127.0.0.1'))
    pass(keep(client), upstream)
    pass(upstream, client, rewrite)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  atEnd(() => {
    cut()
    server.close()
  })
  return {
    urlOf(serverUrl) {
      const url = new URL(serverUrl)
      url.port = String((server.address() as AddressInfo).port)
      return url.href
    },
    leadTo(next) {
      ;[target, isFrozen] = [next, false]
      cut()
    },
    delay(ms) {
      delayMs = ms
    },
    freeze() {
      isFrozen = true
    },
  }
}

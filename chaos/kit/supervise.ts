import { setTimeout as pause } from 'node:timers/promises'

const AFTER_FAILURE_MS = 200

/** A process that runs. */
export interface Running {
  pid: number
  gone: Promise<unknown>
  close(): Promise<void>
}

/** A process that is started again whenever it ends. */
export interface Supervised {
  name: string
  /** Of the process that runs now; null while it is being started. */
  pid(): number | null
  starts(): number
  /** Resolves when a process runs. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** Starts something, and starts it again until closed. The first start must succeed. */
export async function supervise(name: string, start: () => Promise<Running>): Promise<Supervised> {
  let running: Running | null = await start()
  let starts = 1
  let isClosing = false
  const watching = watch()

  async function watch(): Promise<void> {
    for (;;) {
      await running?.gone
      running = null
      if (isClosing) return
      // It may be killed, or find no Redis, before it is ready.
      running = await start().catch(() => null)
      starts += 1
      if (running === null) await pause(AFTER_FAILURE_MS)
    }
  }

  return {
    name,
    pid: () => running?.pid ?? null,
    starts: () => starts,
    async ready() {
      while (running === null) await pause(50)
    },
    async close() {
      isClosing = true
      await running?.close()
      await watching
      // One that was being started when it was told to end.
      await (running as Running | null)?.close()
    },
  }
}

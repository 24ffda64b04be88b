import { redisTrouble } from './redis-trouble.ts'

const REST_MS = 1_000

/** What of a BullMQ worker is needed to let it rest. */
interface Resting {
  closing: unknown
  on(event: 'error', listen: (error: Error) => void): unknown
  pause(doNotWaitActive: boolean): Promise<void>
  resume(): Promise<void>
}

/**
 * Lets a worker rest for a second whenever Redis refuses it: by itself it asks again at once, thousands of times a second.
 * Steps under way go on.
 */
export function restOnTrouble(worker: Resting): void {
  let isResting = false

  async function rest(): Promise<void> {
    await worker.pause(true)
    setTimeout(() => {
      isResting = false
      if (!worker.closing) void worker.resume()
    }, REST_MS).unref()
  }

  worker.on('error', (error) => {
    if (isResting || worker.closing || redisTrouble(error) === null) return
    isResting = true
    void rest()
  })
}

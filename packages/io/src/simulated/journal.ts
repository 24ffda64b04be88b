import type { Asked } from './exchange.ts'

/** A call that arrived, whatever became of it. */
export interface RecordedCall extends Asked {
  /** How it ended: the answer went out whole, or the connection closed before. */
  ended: Promise<'answered' | 'closed'>
}

const KEPT_CALLS = 500

/** Remembers the newest calls and wakes those who wait for one. */
export interface Journal {
  record(call: RecordedCall): void
  /** Oldest first; only the newest are kept, at least 500, so that a long bench does not fill the memory. */
  calls(): readonly RecordedCall[]
  /** How many calls have not ended. */
  underWay(): number
  /** The first call that fits, past or future; rejects when the server closes before one came. */
  waitForCall(fits: (call: RecordedCall) => boolean): Promise<RecordedCall>
  close(): void
}

export function createJournal(): Journal {
  const calls: RecordedCall[] = []
  let underWay = 0
  const waiters = new Set<{
    fits(call: RecordedCall): boolean
    resolve(call: RecordedCall): void
    reject(reason: Error): void
  }>()
  return {
    record(call) {
      calls.push(call)
      underWay++
      void call.ended.then(() => underWay--)
      if (calls.length >= 2 * KEPT_CALLS) calls.splice(0, KEPT_CALLS)
      for (const waiter of waiters) {
        if (!waiter.fits(call)) continue
        waiters.delete(waiter)
        waiter.resolve(call)
      }
    },
    calls: () => calls,
    underWay: () => underWay,
    waitForCall(fits) {
      const past = calls.find(fits)
      if (past) return Promise.resolve(past)
      return new Promise((resolve, reject) => waiters.add({ fits, resolve, reject }))
    },
    close() {
      for (const waiter of waiters) waiter.reject(new Error('the simulated models were closed'))
      waiters.clear()
    },
  }
}

/** What this worker is at, by queue. */
export interface Progress {
  /** Runs a step of a queue, and notes that it began and ended. */
  track<T>(queue: string, run: () => Promise<T>): Promise<T>
  underway(queue?: string): number
  /** When a step of this queue, or of any, last began or ended; before the first, when the worker started. */
  lastAtMs(queue?: string): number
}

export function createProgress(now: () => number): Progress {
  const startedAtMs = now()
  const underway = new Map<string, number>()
  const lastAtMs = new Map<string, number>()
  let newestAtMs = startedAtMs

  function note(queue: string, change: 1 | -1): void {
    underway.set(queue, (underway.get(queue) ?? 0) + change)
    newestAtMs = now()
    lastAtMs.set(queue, newestAtMs)
  }

  return {
    async track(queue, run) {
      note(queue, 1)
      try {
        return await run()
      } finally {
        note(queue, -1)
      }
    },
    underway: (queue) =>
      queue === undefined
        ? [...underway.values()].reduce((sum, steps) => sum + steps, 0)
        : (underway.get(queue) ?? 0),
    lastAtMs: (queue) => (queue === undefined ? newestAtMs : (lastAtMs.get(queue) ?? startedAtMs)),
  }
}

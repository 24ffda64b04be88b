/** The value below which a share of the samples lies, by nearest rank; `share` from 0 to 1. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new Error('no samples')
  return value
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

/**
 * How long something takes, in milliseconds, done again and again. The first times are thrown away: they pay for
 * compiling, connecting and loading.
 */
export async function sampleMs(
  { quick }: { quick: boolean },
  once: () => Promise<unknown>,
): Promise<number[]> {
  await repeat({ forMs: quick ? 200 : 1000, atLeast: 10 }, once)
  return repeat({ forMs: quick ? 600 : 3000, atLeast: 20 }, once)
}

async function repeat(
  limits: { forMs: number; atLeast: number },
  once: () => Promise<unknown>,
): Promise<number[]> {
  const samples: number[] = []
  const until = performance.now() + limits.forMs
  while (samples.length < limits.atLeast || performance.now() < until) {
    const startedMs = performance.now()
    await once()
    samples.push(performance.now() - startedMs)
  }
  return samples
}

/** Does something in so many lanes at once until the time is over. */
export async function rateOf(
  { lanes, forMs }: { lanes: number; forMs: number },
  once: (lane: number) => Promise<unknown>,
): Promise<{ count: number; perSecond: number }> {
  const startedMs = performance.now()
  let count = 0
  const runLane = async (lane: number) => {
    while (performance.now() - startedMs < forMs) {
      await once(lane)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(lane)))
  return { count, perSecond: count / ((performance.now() - startedMs) / 1000) }
}

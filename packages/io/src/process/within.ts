/** What a promise came to, or null when it takes longer; it goes on all the same. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | null> {
  const { promise: over, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), timeoutMs)
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

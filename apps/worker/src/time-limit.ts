import { ModelFailure } from '@hyperguild/core/failure.ts'

/**
 * Runs something under a time limit of its own and the caller's signal.
 * @throws {ModelFailure} `timeout_total` when the limit ended it; the caller's own abort is rethrown as it is
 */
export async function withTimeLimit<T>(
  limitMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = AbortSignal.timeout(Math.max(0, limitMs))
  try {
    return await run(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (limit.aborted && !signal.aborted) {
      const seconds = Math.round(limitMs / 100) / 10
      throw new ModelFailure('timeout_total', `no answer within ${seconds} s`, { cause: error })
    }
    throw error
  }
}

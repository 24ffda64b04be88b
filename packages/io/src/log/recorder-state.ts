import type { Redis } from 'ioredis'
import type { Keys } from '../queue/keys.ts'

/** A recorder that has died says nothing any more after this. */
const TTL_MS = 60_000

/** Why the session log cannot be written. */
export interface RecorderProblem {
  /** The system's own word, such as ENOSPC; `failed` where it has none. */
  code: string
  detail: string
}

/** How far the writing of the session log is. */
export interface RecorderState {
  /** Finished jobs that are not in the log yet. */
  waiting: number
  /** Null when nothing is known to be wrong. */
  problem: RecorderProblem | null
}

/** Reads how the one recorder of a fleet fares, from any process. */
export async function readRecorderState(redis: Redis, keys: Keys): Promise<RecorderState> {
  const [waiting, problem] = await Promise.all([
    redis.xlen(keys.entries),
    redis.get(keys.recorderProblem),
  ])
  return { waiting, problem: problem === null ? null : (JSON.parse(problem) as RecorderProblem) }
}

export async function tellProblem(redis: Redis, keys: Keys, error: unknown): Promise<void> {
  const code = (error as { code?: unknown } | null)?.code
  const problem: RecorderProblem = {
    code: typeof code === 'string' ? code : 'failed',
    detail: error instanceof Error ? error.message : String(error),
  }
  await redis.set(keys.recorderProblem, JSON.stringify(problem), 'PX', TTL_MS)
}

export async function takeProblemBack(redis: Redis, keys: Keys): Promise<void> {
  await redis.del(keys.recorderProblem)
}

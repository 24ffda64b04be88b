import type { Redis } from 'ioredis'
import type { JobReads } from './job-reads.ts'
import type { Keys } from './keys.ts'

/** Somebody who works on steps of jobs. */
export interface Workplace {
  /** The jobs it works on now. */
  jobs(): string[]
  /** Stops the work on a job that is over. */
  abort(jobId: string): void
}

export interface EndingsOptions {
  /** A connection of its own: it only listens. */
  subscriber: Redis
  keys: Keys
  store: Pick<JobReads, 'isOver'>
  workplaces: readonly Workplace[]
  onError(error: unknown): void
}

export interface Endings {
  close(): void
}

/** Stops the work on jobs that somebody else ended: cancelled ones, and those past their deadline. */
export async function heedEndings(options: EndingsOptions): Promise<Endings> {
  const { subscriber, keys, store, workplaces, onError } = options
  subscriber.on('error', onError)
  subscriber.on('message', (_channel, jobId) => {
    for (const workplace of workplaces) workplace.abort(jobId)
  })

  /** What was said while the connection was away is in the records. */
  async function catchUp(): Promise<void> {
    for (const workplace of workplaces) {
      for (const jobId of workplace.jobs()) if (await store.isOver(jobId)) workplace.abort(jobId)
    }
  }
  await subscriber.subscribe(keys.endings)
  subscriber.on('ready', () => void catchUp().catch(onError))
  return { close: () => subscriber.disconnect() }
}

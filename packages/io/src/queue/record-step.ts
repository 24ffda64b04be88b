import { type Advance, advance, type StepRef } from '@hyperguild/core/advance.ts'
import type { Job } from '@hyperguild/core/job.ts'
import type { Step } from '@hyperguild/core/step.ts'
import type { JobQueue } from './job-queue.ts'
import type { CommitReply, Fence, JobStore } from './job-store.ts'

/** The sweeper is the second line of defence: stalled steps are found by their queue long before it looks. */
const LOOK_AGAIN_MS = 30_000

export interface JobRecords {
  store: JobStore
  queue: JobQueue
  now(): number
  /** How long a step may wait for a queue that no worker serves. */
  unservedMs: number
}

/**
 * Records a step's outcome, decides what follows, commits both together, and queues the next step.
 * When the caller is not the one who may commit, nothing is changed and the reply says why.
 */
export async function recordStep(
  records: JobRecords,
  at: { step: StepRef; job: Job; steps: readonly Step[]; fence: Fence },
  record: Step,
): Promise<{ reply: CommitReply; ended: boolean }> {
  const next = advance(at.job, at.steps, record, records.now())
  const reply = await commitAdvance(records, at, record, next)
  if (reply === 'ok' && next.next) await records.queue.add(next.next)
  return { reply, ended: reply === 'ok' && next.end !== null }
}

/** Commits an advance that needs no queueing, such as the end of a job. */
export function commitAdvance(
  records: JobRecords,
  at: { step: StepRef; job: Job; fence: Fence },
  record: Step | null,
  next: Advance,
): Promise<CommitReply> {
  return records.store.commit({ ...at, lookAtMs: nextLookMs(records) }, record, next)
}

/** When the sweeper looks at a job that moved on just now. */
export function nextLookMs({ now, unservedMs }: Pick<JobRecords, 'now' | 'unservedMs'>): number {
  return now() + Math.min(LOOK_AGAIN_MS, unservedMs)
}

import { advance } from '@hyperguild/core/advance.ts'
import { cancelNow } from '@hyperguild/core/cancel.ts'
import { commitAdvance, type JobRecords } from './record-step.ts'

/**
 * What came of a wish to cancel. `accepted`: the result is on its way into the caller's tree, too late to stop.
 * `done`: it had ended before, and stays as it ended.
 */
export type CancelReply = 'cancelled' | 'done' | 'accepted' | 'gone'

const TRIES = 20

/**
 * Ends a job for a caller who no longer wants it, from any process: the record says so, the worker at it is told to stop,
 * and a step that still waits leaves its queue.
 */
export async function cancelJob(records: JobRecords, jobId: string): Promise<CancelReply> {
  const { store, queue, now } = records
  for (let tried = 0; tried < TRIES; tried += 1) {
    const record = await store.read(jobId)
    if (!record) return 'gone'
    const { job, steps, result, underway } = record
    if (result) return 'done'
    const cancellation = cancelNow(job, steps, underway, now())
    if (!cancellation) return 'accepted'
    const { next } = advance(job, steps, null, job.submittedAtMs)
    const at = { step: next!, job, fence: 'override' } as const
    const reply = await commitAdvance(records, at, cancellation.record, cancellation.advance)
    if (reply === 'ok') {
      await queue.drop(next!)
      return 'cancelled'
    }
    if (reply !== 'moved') return reply === 'gone' ? 'gone' : 'done'
  }
  throw new Error(`job ${jobId} moved on ${TRIES} times while it was being cancelled`)
}

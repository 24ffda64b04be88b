import { advance, endNow, queueOfStep, type StepRef } from '@hyperguild/core/advance.ts'
import { poolOf } from '@hyperguild/core/model.ts'
import type { Step } from '@hyperguild/core/step.ts'
import { uncalledStep } from '@hyperguild/core/uncalled-step.ts'
import type { JobRecord } from './job-reads.ts'
import {
  commitAdvance,
  type JobRecords,
  nextLookMs,
  readyAtMsOf,
  recordStep,
} from './record-step.ts'

const TICK_MS = 2_000
const JOBS_PER_TICK = 200
/** A worker ends its own attempts at the deadline; the sweeper only comes for those whose worker is gone. */
const DEADLINE_GRACE_MS = 5_000

export interface SweeperOptions extends JobRecords {
  /** Whether a living worker takes steps of a queue. */
  isServed(queue: string): Promise<boolean>
  onError(error: unknown): void
}

/** Looks after every open job: queues a missing step again, or ends the job with a reason. Several may run at once. */
export function startSweeper(options: SweeperOptions): { close(): Promise<void> } {
  let running = Promise.resolve()
  const tickMs = Math.min(TICK_MS, options.unservedMs)
  const timer = setInterval(() => {
    running = running.then(() => sweep(options)).catch(options.onError)
  }, tickMs)
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}

/** Looks once at every job that is due. */
export async function sweep(options: SweeperOptions): Promise<void> {
  for (const jobId of await options.store.dueJobs(options.now(), JOBS_PER_TICK)) {
    const record = await options.store.read(jobId)
    if (record) await lookAfter(options, record)
    else await options.store.forget(jobId)
  }
}

async function lookAfter(options: SweeperOptions, record: JobRecord): Promise<void> {
  const { job, steps } = record
  const nowMs = options.now()
  if (nowMs > job.deadlineAtMs + DEADLINE_GRACE_MS) {
    const step = placeholder(record)
    const end = endNow(job, steps, { kind: 'past_deadline' }, nowMs)
    await commitAdvance(options, { step, job, fence: 'override' }, null, end)
    const pending = advance(job, steps, null, job.submittedAtMs).next
    if (pending) await options.queue.drop(pending)
    return
  }
  const { next } = advance(job, steps, null, nowMs)
  if (next === null) return
  if (await waitsInVain(options, record, next)) {
    const at = { step: next, job, steps, fence: 'unleased' } as const
    const { reply } = await recordStep(options, at, unserved(next, nowMs))
    if (reply === 'ok') await options.queue.drop(next)
    return
  }
  await options.queue.revive(next)
  await options.store.lookAgain(job.id, nextLookMs(options))
}

async function waitsInVain(
  options: SweeperOptions,
  { job, steps }: JobRecord,
  next: StepRef,
): Promise<boolean> {
  const readyAtMs = readyAtMsOf({ step: next, job, steps })
  if (options.now() - readyAtMs < options.unservedMs) return false
  if (await options.isServed(queueOfStep(next))) return false
  return !(await options.store.isLeased(next))
}

function unserved(step: StepRef, nowMs: number): Step {
  const pool = poolOf(step.model)
  const message = `no worker serves ${step.model}; start one with: hyperguild worker --tier ${pool} --models ${step.model}`
  return uncalledStep(step, { failure: 'unserved', message }, { worker: 'sweeper', nowMs })
}

/** Names the place behind the last step, for commits that belong to no queued step. */
function placeholder({ job, steps }: JobRecord): StepRef {
  const model = job.chain[0]!
  return { jobId: job.id, step: steps.length, kind: 'generate', model, attempt: 0, of: 0 }
}

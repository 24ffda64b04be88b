import { advance, type StepRef } from '@hyperguild/core/advance.ts'
import type { OpenBreaker } from '@hyperguild/core/health.ts'
import { type JobRecords, recordStep, refusedBy, waitsFor } from './record-step.ts'

const STEPS_AT_A_TIME = 500

/** Sends the jobs that wait for a model whose breaker is open up their chains, the reason in their records. */
export async function moveUp(
  records: JobRecords & { workerId: string },
  model: string,
  breaker: OpenBreaker,
): Promise<void> {
  for (const step of await records.queue.waitingSteps(model, STEPS_AT_A_TIME)) {
    if (!waitsFor(step, breaker)) await moveOne(records, step, breaker)
  }
}

async function moveOne(
  records: JobRecords & { workerId: string },
  step: StepRef,
  breaker: OpenBreaker,
): Promise<void> {
  const { store, queue, now, workerId: worker } = records
  const [record] = await store.readAll([step.jobId])
  if (record === 'later') return
  if (record && !record.result) {
    const { job, steps } = record
    const { next } = advance(job, steps, null, now())
    if (next === null) return
    if (next.step === step.step) {
      const at = { step: next, job, steps, fence: 'unleased' } as const
      const refused = refusedBy(breaker, next, { worker, nowMs: now() })
      const { reply } = await recordStep(records, at, refused)
      if (reply === 'fenced') return
    }
  }
  await queue.drop(step)
}

import { JOB_VERSION, type Job } from './job.ts'
import type { Step } from './step.ts'

/** A job as it stands in its record, written by this version or an earlier one. */
export interface StoredJob {
  job: Job
  steps: Step[]
}

/** Whether a record is of a later version: what stands in it cannot be understood here, and must be left as it is. */
export function isOfLaterVersion({ version }: Pick<Job, 'version'>): boolean {
  return version > JOB_VERSION
}

/** The record in today's shape, whatever version wrote it. */
export function upToDate({ job, steps }: StoredJob): StoredJob {
  if (job.version >= JOB_VERSION) return { job, steps }
  const upgraded = fromVersion1(job)
  return { job: upgraded, steps: steps.map((step) => stepFromVersion1(step, upgraded)) }
}

/** Version 1 knew answers only: nothing was delivered, and no patch was applied. */
function fromVersion1(job: Job): Job {
  return {
    ...job,
    version: JOB_VERSION,
    delivers: job.delivers ?? 'answer',
    apply: job.apply ?? false,
  }
}

/** Version 1 kept no task for the verifier, and asked only of generating steps whether their model was warm. */
function stepFromVersion1(step: Step, job: Job): Step {
  const warmStart = step.warmStart ?? true
  if (step.kind !== 'generate' || step.outcome.kind !== 'candidate') return { ...step, warmStart }
  const task = step.outcome.task ?? JSON.stringify(job.input)
  return { ...step, warmStart, outcome: { ...step.outcome, task } }
}

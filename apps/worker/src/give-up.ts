import { type StepRef, stepIdOf } from '@hyperguild/core/advance.ts'
import type { Job } from '@hyperguild/core/job.ts'
import { failedWork, type Work } from '@hyperguild/core/step.ts'
import type { Begun } from '@hyperguild/io/queue/job-store.ts'
import type { WorkerDeps } from './deps.ts'

/** A step that took so many workers down with it is given up. */
export const MAX_STARTS = 5

/** Gives up a step that one worker after another died on, and keeps what is known of it for a person to look at. */
export async function giveUp(
  { store, now }: Pick<WorkerDeps, 'store' | 'now'>,
  step: StepRef,
  { job, starters }: Extract<Begun, { state: 'go' }>,
): Promise<Work> {
  await store.dead.add({
    id: stepIdOf(step),
    jobId: job.id,
    step: step.step,
    kind: step.kind,
    model: step.model,
    tool: job.tool,
    principal: job.principal,
    projectRoot: rootOf(job),
    // The last start is the one that only gives up.
    starts: starters.slice(0, MAX_STARTS),
    givenUpAtMs: now(),
  })
  const doubt = step.kind === 'apply' ? '; look whether the project was changed in part' : ''
  return failedWork(step.kind, 'worker_died', `${MAX_STARTS} workers died on this step${doubt}`)
}

function rootOf({ input }: Job): string {
  return typeof input.project_root === 'string' ? input.project_root : ''
}

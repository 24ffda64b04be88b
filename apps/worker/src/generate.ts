import { randomBytes } from 'node:crypto'
import { NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import type { Decision } from '@hyperguild/core/decide.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { Job } from '@hyperguild/core/job.ts'
import { failedWork, type GenerateOutcome, type Step, type Work } from '@hyperguild/core/step.ts'
import { answer } from './answer.ts'
import type { Attempting } from './attempting.ts'
import type { WorkerDeps } from './deps.ts'
import { edit } from './edit.ts'
import { openProject } from './project.ts'
import { withTimeLimit } from './time-limit.ts'

type Todo = Extract<Decision, { do: 'generate' }>

/** What an attempt came to, and what it cost. */
export interface Attempted {
  outcome: GenerateOutcome
  usage: Usage
}

/** Lets one model try the job, and gathers the evidence for or against what it did. */
export async function generate(
  deps: WorkerDeps,
  job: Job,
  steps: readonly Step[],
  todo: Todo,
  signal: AbortSignal,
): Promise<Work> {
  const skill = deps.skills.get(job.tool)
  if (!skill) return failedWork('generate', 'internal', `this worker has no skill ${job.tool}`)
  const limitMs = Math.min(skill.limits.attempt_seconds * 1000, job.deadlineAtMs - deps.now())
  const { model, feedback } = todo
  const nonce = randomBytes(8).toString('hex')
  let baseTree: string | undefined
  try {
    const attempted = await withTimeLimit(limitMs, signal, async (limited) => {
      await using project = await openProject(deps, job, steps, limited)
      const attempting: Attempting = { deps, job, skill, steps, project, model, feedback, nonce }
      try {
        return await (skill.kind === 'edit' ? edit : answer)(attempting, limited)
      } finally {
        baseTree = project?.baseTree()
      }
    })
    return { kind: 'generate', ...attempted, ...(baseTree ? { baseTree } : {}) }
  } catch (error) {
    return { kind: 'generate', ...attemptedFrom(error), ...(baseTree ? { baseTree } : {}) }
  }
}

function attemptedFrom(error: unknown): Attempted {
  if (error instanceof RequestError) {
    return { outcome: { kind: 'bad_input', message: error.message }, usage: NO_USAGE }
  }
  if (!(error instanceof ModelFailure)) throw error
  const { failure, message, retryAfterMs, usage = NO_USAGE } = error
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
  return { outcome: { kind: 'failed', failure, message, ...wait }, usage }
}

import type { JobResult } from '@hyperguild/core/result.ts'
import { requireSkill, submitJob } from '@hyperguild/gateway/submit-job.ts'
import type { BenchFleet } from './fleet.ts'
import { ACCEPTED_MODEL, CLOUD_MODEL, REJECTED_MODELS } from './models.ts'

/** A course that a job takes: its chain, and what comes of it. */
export interface Course {
  name: string
  chain: readonly string[]
  /** The caller chose the model: one attempt, no verifier. */
  pinned: boolean
  /** How many models work, and how many of those are judged. */
  attempts: number
  verdicts: number
}

export const ONE_STEP: Course = {
  name: 'one step',
  chain: [CLOUD_MODEL],
  pinned: true,
  attempts: 1,
  verdicts: 0,
}

export const TWO_STEPS: Course = {
  name: 'generate + verify',
  chain: [ACCEPTED_MODEL, CLOUD_MODEL],
  pinned: false,
  attempts: 1,
  verdicts: 1,
}

export const THREE_ESCALATIONS: Course = {
  name: 'three escalations',
  chain: [...REJECTED_MODELS, CLOUD_MODEL],
  pinned: false,
  attempts: 4,
  verdicts: 3,
}

export const COURSES = [ONE_STEP, TWO_STEPS, THREE_ESCALATIONS]

export function stepsOf({ attempts, verdicts }: Course): number {
  return attempts + verdicts
}

/** Runs one job the way the gateway does, from the call to the result. @throws when it took another course */
export async function runJob(fleet: BenchFleet, course: Course): Promise<JobResult> {
  const task = nextTask(fleet)
  const skills = { [task.skill]: { chain: [...course.chain] } }
  const deps = { ...fleet.deps, models: { ...fleet.deps.models, skills } }
  const pin = course.pinned ? { model: course.chain[0] } : {}
  const call = { skill: task.skill, input: { ...task.input, ...pin }, principal: 'bench' }
  const { listening } = await submitJob(deps, requireSkill(deps, call), call, () => {})
  try {
    const result = await listening.result
    if (result.status === 'pass' && result.attempts.length === course.attempts) return result
    throw new Error(`a job of ${course.name} took another course: ${result.message}`)
  } finally {
    listening.stop()
  }
}

let tasks = 0

/** No two are alike: the same call at the same time would join the job that is already under way. */
function nextTask({ kind, projectRoot }: BenchFleet) {
  tasks += 1
  if (kind === 'bare') return { skill: 'echo', input: { text: `Good morning, number ${tasks}` } }
  const files = ['src/prices.js', 'src/discounts.js']
  const context = `This is review number ${tasks}.`
  return { skill: 'review', input: { project_root: projectRoot, files, context } }
}

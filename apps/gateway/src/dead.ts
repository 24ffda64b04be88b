import { RequestError } from '@hyperguild/core/errors.ts'
import type { Principal } from '@hyperguild/core/principal.ts'
import type { DeadLetter } from '@hyperguild/io/queue/dead-letters.ts'
import type { GatewayDeps } from './deps.ts'
import { requireScope } from './operations.ts'
import { requireSkill, submitJob } from './submit-job.ts'

/** A step that workers died on, and the input of its call; null when the job's retention has ended. */
export interface DeadStep extends DeadLetter {
  input: Readonly<Record<string, unknown>> | null
}

/** The steps that workers died on, newest first. @throws {RequestError} when the caller is no operator */
export async function listDead(
  { store }: Pick<GatewayDeps, 'store'>,
  principal: Principal,
  limit: number,
): Promise<DeadLetter[]> {
  requireScope(principal, 'operate')
  return store.dead.list(limit)
}

/** @throws {RequestError} when there is no such step, or the caller is no operator */
export async function readDead(
  { store }: Pick<GatewayDeps, 'store'>,
  principal: Principal,
  id: string,
): Promise<DeadStep> {
  requireScope(principal, 'operate')
  const letter = await store.dead.get(id)
  if (letter === null) throw unknownStep(id)
  const record = await store.read(letter.jobId)
  return { ...letter, input: record?.job.input ?? null }
}

/**
 * Makes the same call anew, as its own principal, and takes the step off the list.
 * @throws {RequestError} when there is no such step, or its job is not kept any more
 */
export async function retryDead(
  deps: GatewayDeps,
  principal: Principal,
  id: string,
): Promise<{ job_id: string }> {
  const letter = await readDead(deps, principal, id)
  if (letter.input === null) {
    throw new RequestError('gone', `the job of "${id}" is not kept any more; make its call again`)
  }
  const call = { skill: letter.tool, input: letter.input, principal: letter.principal }
  const { job, listening } = await submitJob(deps, requireSkill(deps, call), call, () => {})
  listening.stop()
  await deps.store.dead.drop(id)
  deps.log.info({ dead: id, job: job.id, by: principal.name }, 'dead_retried')
  return { job_id: job.id }
}

/** Takes a step off the list. @throws {RequestError} when there is no such step */
export async function dropDead(
  { store, log }: Pick<GatewayDeps, 'store' | 'log'>,
  principal: Principal,
  id: string,
): Promise<void> {
  requireScope(principal, 'operate')
  if (!(await store.dead.drop(id))) throw unknownStep(id)
  log.info({ dead: id, by: principal.name }, 'dead_dropped')
}

function unknownStep(id: string): RequestError {
  return new RequestError('not_found', `"${id}" is not among the steps that workers died on`)
}

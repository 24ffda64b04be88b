import { ConfigError } from '@hyperguild/core/errors.ts'
import type { DeadLetter } from '@hyperguild/io/queue/dead-letters.ts'
import { print, table } from './terminal.ts'

const TIMEOUT_MS = 10_000

/** A gateway, and the right to operate it. */
export interface GatewayAccess {
  url: string
  token: string | undefined
  json: boolean
}

/** Prints the steps that workers died on, newest first. */
export async function listDead(access: GatewayAccess): Promise<number> {
  const { dead } = (await ask(access, 'GET', '')) as { dead: DeadLetter[] }
  if (access.json) print(JSON.stringify(dead))
  else if (dead.length === 0) print('No step has been given up.')
  else print(table(['id', 'skill', 'step', 'model', 'deaths', 'given up'], dead.map(rowOf)))
  return 0
}

/** Prints all that is known of one step. */
export async function showDead(access: GatewayAccess, id: string): Promise<number> {
  const letter = (await ask(access, 'GET', `/${id}`)) as DeadLetter
  if (access.json) {
    print(JSON.stringify(letter))
    return 0
  }
  const { starts, ...facts } = letter
  for (const [name, value] of Object.entries(facts)) print(`${name}: ${textOf(value)}`)
  for (const { worker, atMs } of starts) print(`died on it: ${worker}, begun ${timeOf(atMs)}`)
  return 0
}

/** Makes the call of a step anew. */
export async function retryDead(access: GatewayAccess, id: string): Promise<number> {
  const { job_id: jobId } = (await ask(access, 'POST', `/${id}/retry`)) as { job_id: string }
  print(
    access.json ? JSON.stringify({ job_id: jobId }) : `The call is made again, as job ${jobId}.`,
  )
  return 0
}

/** Takes a step off the list. */
export async function dropDead(access: GatewayAccess, id: string): Promise<number> {
  await ask(access, 'DELETE', `/${id}`)
  print(access.json ? JSON.stringify({ dropped: true }) : `${id} is off the list.`)
  return 0
}

function rowOf({ id, tool, kind, step, model, starts, givenUpAtMs }: DeadLetter): string[] {
  return [id, tool, `${kind} ${step}`, model, String(starts.length), timeOf(givenUpAtMs)]
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

/** @throws {ConfigError} with what the gateway says, or that there is none */
async function ask({ url, token }: GatewayAccess, method: string, path: string): Promise<unknown> {
  const headers = token ? { Authorization: `Bearer ${token}` } : {}
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await fetch(`${url}/v1/dead${path}`, { method, headers, signal }).catch(
    (error: Error) => {
      throw new ConfigError(`no gateway answers at ${url} (${error.message}); name it with --url`)
    },
  )
  const answer = (await response.json().catch(() => ({}))) as { detail?: string }
  if (response.ok) return answer
  throw new ConfigError(`${url} answered ${response.status}: ${answer.detail ?? 'no reason given'}`)
}

import type { JsonSchema } from './json-schema.ts'
import type { Skill } from './skill.ts'

const WAIT_SECONDS = {
  type: 'integer',
  minimum: 0,
  maximum: 3600,
  description:
    'How long this call may wait before it answers with a job_id to come back with; chosen to suit your client when absent',
}

const REQUEST_ID = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  description:
    'Your own name for this call: the same call with the same name joins the first one, even when that is done; a new name runs it anew',
}

/** Inputs that steer the call and are no part of the job. */
const OF_THE_CALL = ['wait_seconds', 'request_id'] as const

const extended = new WeakMap<JsonSchema, JsonSchema>()

/** What a call of a skill may give: its own input and, for those that run as jobs, a waiting time and a name. */
export function callInputOf({ kind, input }: Pick<Skill, 'kind' | 'input'>): JsonSchema {
  if (kind === 'lookup') return input
  const known = extended.get(input)
  if (known) return known
  const properties = input.properties as Record<string, unknown>
  const steering = { wait_seconds: WAIT_SECONDS, request_id: REQUEST_ID }
  const made = { ...input, properties: { ...properties, ...steering } }
  extended.set(input, made)
  return made
}

export interface SteeredInput {
  /** What the job is about. */
  input: Readonly<Record<string, unknown>>
  waitSeconds: number | undefined
  requestId: string | undefined
}

/** Takes a valid input apart into the job's and the call's. */
export function splitInput(given: Readonly<Record<string, unknown>>): SteeredInput {
  const { wait_seconds: waitSeconds, request_id: requestId } = given
  const own = Object.entries(given).filter(
    ([name]) => !(OF_THE_CALL as readonly string[]).includes(name),
  )
  return {
    input: Object.fromEntries(own),
    waitSeconds: typeof waitSeconds === 'number' ? waitSeconds : undefined,
    requestId: typeof requestId === 'string' ? requestId : undefined,
  }
}

import type { JsonSchema } from './json-schema.ts'
import { COST_BASES } from './price.ts'
import type { Skill } from './skill.ts'
import type { Spending } from './spending.ts'

const text = { type: 'string' }
const NULL = { type: 'null' }

/** Not `type: [..., 'null']`: clients that know one type at a time would drop it. */
const orNull = (schema: JsonSchema, description?: string): JsonSchema => ({
  anyOf: [schema, NULL],
  ...(description === undefined ? {} : { description }),
})

const count = orNull({ type: 'integer' })

const USAGE = orNull(
  {
    type: 'object',
    properties: {
      inputTokens: count,
      outputTokens: count,
      cacheReadTokens: count,
      cacheWriteTokens: count,
    },
  },
  'tokens; null where the server did not say',
)

const USD = orNull({ type: 'number' }, 'US dollars; null when unknown')

const BASIS: JsonSchema = {
  enum: COST_BASES,
  description: 'list price, own price or hardware, or (in part) not known',
}

const SPENDING = {
  usage: USAGE,
  cost_usd: { ...USD, description: 'the sum of what is known, verifications included' },
  unpriced_models: { type: 'array', items: text, description: 'models that cost_usd leaves out' },
  baseline_model: orNull(text),
  saved_usd_estimate: {
    ...USD,
    description:
      "an estimate: what the accepted attempt's tokens cost at the price of baseline_model, less cost_usd",
  },
} satisfies Record<keyof Spending, JsonSchema>

const ATTEMPT: JsonSchema = {
  type: 'object',
  properties: {
    attempt: { type: 'integer', minimum: 1 },
    model: text,
    tier: { enum: ['local', 'subagent', 'managed'] },
    duration_ms: { type: 'integer' },
    warm_start: { type: 'boolean' },
    load_ms: orNull(
      { type: 'integer' },
      'how long the server loaded the model; null where it does not tell',
    ),
    verified: { type: 'boolean', description: 'an exit code proved it' },
    verdict: { enum: ['accept', 'escalate', 'error'] },
    feedback: text,
    output_summary: text,
    runner_output: text,
    usage: USAGE,
    verifier_usage: USAGE,
    cost_usd: USD,
    cost_basis: BASIS,
    verifier_cost_usd: USD,
    verifier_cost_basis: orNull(BASIS),
    price_version: orNull(text, 'the day of the price list'),
  },
  required: ['attempt', 'model', 'tier', 'duration_ms', 'warm_start', 'verified', 'verdict'],
}

/** The JSON Schema of what a call of this skill answers, for MCP clients and the REST documentation. */
export function resultSchemaOf(skill: Skill): JsonSchema {
  if (skill.kind === 'lookup') return skill.output ?? { type: 'object' }
  return {
    type: 'object',
    properties: {
      job_id: text,
      session_id: text,
      status: {
        enum: ['pass', 'fail', 'error', 'running'],
        description:
          'running: the job goes on, and this is not its result; `next` says how to get it',
      },
      next: { type: 'string', description: 'what to do now, while the job is running' },
      ended: {
        enum: ['accepted', 'chain_exhausted', 'bad_input', 'past_deadline', 'cancelled'],
        description: 'how the job came to its end',
      },
      skill: text,
      phase: text,
      file_path: text,
      runner_output: { type: 'string', description: 'raw output of the test runner' },
      verified: { type: 'boolean', description: 'proved by an exit code' },
      model_used: text,
      message: { type: 'string', description: 'one sentence' },
      output: orNull(skill.output ?? { type: 'object' }),
      patch: orNull({ type: 'object' }, 'the accepted change and whether it was applied'),
      evidence: orNull({ type: 'object' }, 'what the worker ran and checked itself'),
      attempts: { type: 'array', items: ATTEMPT },
      ...SPENDING,
      duration_ms: { type: 'integer' },
    },
    required: ['job_id', 'status', 'message', 'attempts'],
  }
}

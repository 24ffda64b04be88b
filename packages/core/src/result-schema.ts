import type { JsonSchema } from './json-schema.ts'
import type { Skill } from './skill.ts'

const text = { type: 'string' }
const count = { type: ['integer', 'null'] }

const USAGE: JsonSchema = {
  type: ['object', 'null'],
  description: 'tokens; null where the server did not say',
  properties: {
    inputTokens: count,
    outputTokens: count,
    cacheReadTokens: count,
    cacheWriteTokens: count,
  },
}

const ATTEMPT: JsonSchema = {
  type: 'object',
  properties: {
    attempt: { type: 'integer', minimum: 1 },
    model: text,
    tier: { enum: ['local', 'subagent', 'managed'] },
    duration_ms: { type: 'integer' },
    warm_start: { type: 'boolean' },
    verified: { type: 'boolean', description: 'an exit code proved it' },
    verdict: { enum: ['accept', 'escalate', 'error'] },
    feedback: text,
    output_summary: text,
    runner_output: text,
    usage: USAGE,
    verifier_usage: USAGE,
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
      status: { enum: ['pass', 'fail', 'error'] },
      skill: text,
      phase: text,
      file_path: text,
      runner_output: { type: 'string', description: 'raw output of the test runner' },
      verified: { type: 'boolean', description: 'proved by an exit code' },
      model_used: text,
      message: { type: 'string', description: 'one sentence' },
      output: { anyOf: [skill.output ?? { type: 'object' }, { type: 'null' }] },
      patch: {
        type: ['object', 'null'],
        description: 'the accepted change and whether it was applied',
      },
      evidence: { type: ['object', 'null'], description: 'what the worker ran and checked itself' },
      attempts: { type: 'array', items: ATTEMPT },
      usage: USAGE,
      duration_ms: { type: 'integer' },
    },
    required: ['job_id', 'status', 'message', 'attempts'],
  }
}

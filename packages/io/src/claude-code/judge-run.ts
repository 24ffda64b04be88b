import type { Failure } from '@hyperguild/core/failure.ts'
import { type JsonSchema, validate, zodFrom } from '@hyperguild/core/json-schema.ts'
import { clip } from '@hyperguild/core/loop/limits.ts'
import { FAILURE_TABLE } from '../models/failure-table.ts'
import type { Envelope } from './read-run.ts'

export type Judgement =
  | { ok: true; output: Readonly<Record<string, unknown>> }
  | { ok: false; failure: Failure; message: string; httpStatus?: number }

type Failed = Extract<Judgement, { ok: false }>

/**
 * What a run came to. The exit code tells nothing: it is 0 for a run without an answer and for one that was interrupted.
 * A run that failed at the API has the subtype `success`.
 */
export function judgeRun(envelope: Envelope, schema: JsonSchema, model: string): Judgement {
  if (envelope.is_error || envelope.subtype !== 'success') return failureIn(envelope, model)
  const { structured_output: output } = envelope
  if (output === undefined) return badOutput('Claude Code ended without an answer')
  const valid = validate(zodFrom(schema), output)
  return valid.ok
    ? { ok: true, output: valid.value as Readonly<Record<string, unknown>> }
    : badOutput(`the answer is not valid: ${clip(valid.problems.join('; '), 500)}`)
}

/** How a run can end besides at the API; by `terminal_reason`. */
const ENDINGS: Readonly<Record<string, Pick<Failed, 'failure' | 'message'>>> = {
  max_turns: {
    failure: 'loop_limit',
    message: 'no answer within the turns that limits.loop_steps of the skill allows',
  },
  budget_exhausted: {
    failure: 'loop_limit',
    message: 'spent what limits.budget_usd of the skill allows, without an answer',
  },
  structured_output_retry_exhausted: {
    failure: 'bad_output',
    message: 'gave no valid answer, though asked several times',
  },
  prompt_too_long: {
    failure: 'context_overflow',
    message: 'the prompt is too long; send less, or use a model with a larger context',
  },
}

function failureIn(envelope: Envelope, model: string): Failed {
  const { terminal_reason: reason, api_error_status: status, result, stop_reason } = envelope
  const ending = ENDINGS[reason ?? '']
  if (ending) return { ok: false, ...ending, message: `${model}: ${ending.message}` }
  if (stop_reason === 'refusal') return refused(model)
  if (reason !== 'api_error') {
    const message = `Claude Code ended ${model} with ${envelope.subtype} (${reason ?? 'no reason'})`
    return { ok: false, failure: 'internal', message }
  }
  if (typeof status === 'number') return failureAt(status, result ?? '', model)
  return failureWithoutStatus(result ?? '', model)
}

function failureAt(httpStatus: number, text: string, model: string): Failed {
  const row = FAILURE_TABLE.find(({ sign }) => sign.test(`${httpStatus} ${text}`))
  const failure = row?.failure ?? 'server_error'
  const message = `the API answered Claude Code with HTTP ${httpStatus} for ${model}: ${ADVICE[failure] ?? 'see the log of that server'}`
  return { ok: false, failure, message, httpStatus }
}

const ADVICE: Partial<Record<Failure, string>> = {
  auth: 'it refused the key or the login; check ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN',
  rate_limited: 'it limits calls; wait, or make fewer at once',
  overloaded: 'it is overloaded; try again later',
  budget_exhausted: 'the budget is spent; raise the limit there',
  model_missing: 'it does not serve that model; compare models.yaml with what it lists',
  context_overflow: 'the prompt is too long; send less, or use a model with a larger context',
}

/** Claude Code has words only for what happened before or after an answer of the server. */
function failureWithoutStatus(text: string, model: string): Failed {
  if (/not logged in|\/login/i.test(text)) {
    const message = `Claude Code has no access to ${model}; ${ADVICE.auth}`
    return { ok: false, failure: 'auth', message }
  }
  if (/output token maximum/i.test(text)) return badOutput(`${model}: the answer grew too long`)
  const message = `Claude Code cannot reach the API for ${model}, or it hung up; check ANTHROPIC_BASE_URL`
  return { ok: false, failure: 'network', message }
}

function refused(model: string): Failed {
  return { ok: false, failure: 'refusal', message: `${model} refused the task` }
}

function badOutput(message: string): Failed {
  return { ok: false, failure: 'bad_output', message }
}

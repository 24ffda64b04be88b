import { APICallError } from '@ai-sdk/provider'
import { type Failure, ModelFailure } from '@hyperguild/core/failure.ts'
import { FAILURE_TABLE } from './failure-table.ts'

/** Whom a call went to, as messages name it. */
export interface Callee {
  model: string
  /** Host and port, never credentials or path. */
  where: string
  /** What a person changes when it is not there: a variable, or a key of models.yaml. */
  urlSetting: string
  /** What a person changes when it refuses the key. */
  keySetting: string
}

/** What happened and what to do about it; the server's own words stay in the cause. */
const ADVICE: Partial<Record<Failure, (to: Callee, status: string) => string>> = {
  rate_limited: (to) => `${to.where} limits the calls of ${to.model}; wait, or make fewer at once`,
  overloaded: (to) => `${to.where} is overloaded or still loading ${to.model}; try again later`,
  budget_exhausted: (to) =>
    `${to.where} says the budget for ${to.model} is spent; raise the limit there`,
  auth: (to) => `${to.where} refused the key for ${to.model}; check ${to.keySetting}`,
  context_overflow: (to) =>
    `the prompt is too long for ${to.model} at ${to.where}; send less, or use a model with a larger context`,
  model_missing: (to) =>
    `${to.where} does not serve ${to.model}; compare models.yaml with what the server lists, and check ${to.urlSetting}`,
  tools_unsupported: (to) =>
    `${to.where} cannot offer tools to ${to.model}; write tools: text under models.${to.model} in models.yaml`,
  timeout_total: (to) => `${to.where} gave up waiting for ${to.model}; look at that server's log`,
  network: (to) =>
    `${to.where} cannot be reached for ${to.model}, or hung up; check that it runs and check ${to.urlSetting}`,
  internal: (to, status) =>
    `${to.where} refused the request for ${to.model} as invalid${status}; the worker's log has its answer`,
  server_error: (to, status) =>
    `${to.where} failed${status} while ${to.model} worked; look at that server's log`,
}

/**
 * Makes a `ModelFailure` of whatever a provider threw or sent as an error in a stream.
 * @param nowMs for Retry-After dates, milliseconds since the epoch
 */
export function classifyFailure(error: unknown, to: Callee, nowMs: number): ModelFailure {
  if (error instanceof ModelFailure) return error
  const { httpStatus, body, headers } = answerOf(error)
  const failure = failureOf(error, httpStatus, body)
  const status = httpStatus === undefined ? '' : ` (HTTP ${httpStatus})`
  const message = (ADVICE[failure] ?? ADVICE.server_error!)(to, status)
  const retryAfterMs = retryAfterMsOf(headers, nowMs) ?? regainMsOf(body, nowMs)
  return new ModelFailure(failure, message, {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: error,
  })
}

function failureOf(error: unknown, httpStatus: number | undefined, body: string): Failure {
  if (httpStatus === undefined) return isNetworkError(error) ? 'network' : 'server_error'
  const answer = `${httpStatus} ${body}`
  return FAILURE_TABLE.find((row) => row.sign.test(answer))?.failure ?? 'server_error'
}

interface ErrorAnswer {
  httpStatus: number | undefined
  body: string
  headers: Readonly<Record<string, string>>
}

/** Errors inside a stream come as plain objects; some tell the status they would have had. */
function answerOf(error: unknown): ErrorAnswer {
  if (APICallError.isInstance(error)) {
    const { statusCode, responseBody = '', responseHeaders = {} } = error
    return { httpStatus: statusCode, body: responseBody, headers: responseHeaders }
  }
  if (error instanceof Error || typeof error !== 'object' || error === null) {
    return { httpStatus: undefined, body: '', headers: {} }
  }
  const status = Number(
    'statusCode' in error ? error.statusCode : 'code' in error ? error.code : Number.NaN,
  )
  return { httpStatus: status >= 400 ? status : 500, body: JSON.stringify(error), headers: {} }
}

/** Codes of Node and undici (ECONNREFUSED, ENOTFOUND, UND_ERR_SOCKET, …) may sit deep in the causes. */
function isNetworkError(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return true
  }
  return false
}

/**
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after for seconds or a date; `retry-after-ms` is what OpenAI
 * and Anthropic send besides
 */
function retryAfterMsOf(headers: ErrorAnswer['headers'], nowMs: number): number | undefined {
  const exact = Number.parseFloat(headers['retry-after-ms'] ?? '')
  if (exact >= 0) return Math.round(exact)
  const value = headers['retry-after'] ?? ''
  if (/^\d+(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1000)
  return untilMs(value, nowMs)
}

/** Anthropic tells in the text when a spent budget opens again. */
function regainMsOf(body: string, nowMs: number): number | undefined {
  const [, day, time] =
    /regain access on (\d{4}-\d\d-\d\d)(?: at (\d\d:\d\d) UTC)?/.exec(body) ?? []
  return day === undefined ? undefined : untilMs(`${day}T${time ?? '00:00'}Z`, nowMs)
}

function untilMs(date: string, nowMs: number): number | undefined {
  const at = Date.parse(date)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

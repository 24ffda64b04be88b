import type { RequestErrorCode } from '@hyperguild/core/errors.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import { busyOnTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import type { Context } from 'hono'

export type ProblemCode = RequestErrorCode | 'unauthorized' | 'too_large' | 'internal'

/** The HTTP status of each kind of problem; a new kind does not compile before it has one. */
const STATUS = {
  invalid_argument: 400,
  unknown_model: 400,
  unauthorized: 401,
  forbidden: 403,
  unknown_skill: 404,
  not_found: 404,
  gone: 410,
  too_large: 413,
  busy: 429,
  internal: 500,
} as const satisfies Record<ProblemCode, number>

const TITLES = {
  invalid_argument: 'An argument is not valid',
  unknown_model: 'No such model',
  unauthorized: 'A token is needed',
  forbidden: 'The token does not allow this',
  unknown_skill: 'No such skill',
  not_found: 'Not found',
  gone: 'The job is lost',
  too_large: 'The body is too large',
  busy: 'Busy, try again',
  internal: 'The gateway failed',
} as const satisfies Record<ProblemCode, string>

/**
 * An error as problem details.
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export function problem(c: Context, code: ProblemCode, detail: string): Response {
  const status = STATUS[code]
  c.header('Content-Type', 'application/problem+json')
  return c.body(
    JSON.stringify({ type: `urn:hyperguild:problem:${code}`, title: TITLES[code], status, detail }),
    status,
  )
}

/** What a thrown error tells its caller: what they can mend in words, everything else only that it is ours. */
export function problemFrom(c: Context, thrown: unknown, log: Logger): Response {
  const error = busyOnTrouble(thrown)
  if (error instanceof RequestError) {
    if (error.retryAfterMs !== undefined) {
      c.header('Retry-After', String(Math.ceil(error.retryAfterMs / 1000)))
    }
    return problem(c, error.code, error.message)
  }
  log.error({ err: error, path: c.req.path }, 'request_failed')
  return problem(c, 'internal', 'the gateway failed; its log says why')
}

/** The operator must change something: a file, a variable, a missing program. One line per problem. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: string | readonly string[]) {
    const list = typeof problems === 'string' ? [problems] : problems
    super(list.join('\n'))
    this.name = 'ConfigError'
    this.problems = list
  }
}

export type RequestErrorCode =
  | 'invalid_argument'
  | 'unknown_skill'
  | 'unknown_model'
  | 'not_found'
  | 'gone'
  | 'forbidden'
  | 'busy'

/** The caller must change something, or try again; `message` tells what and how. */
export class RequestError extends Error {
  readonly code: RequestErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: RequestErrorCode, message: string, details: { retryAfterMs?: number } = {}) {
    super(message)
    this.name = 'RequestError'
    this.code = code
    this.retryAfterMs = details.retryAfterMs
  }
}

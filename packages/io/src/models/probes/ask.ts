import { ModelFailure } from '@hyperguild/core/failure.ts'
import type * as z from 'zod'
import { rootOf } from '../backends.ts'
import type { Server } from '../endpoints.ts'

/** Whether a model is in memory, so that a call need not wait for it to load. */
export type Warmth = 'warm' | 'cold' | 'unknown'

export interface ProbedModel {
  /** As the server calls it. */
  name: string
  state: Warmth
  /** What it was loaded with; null when the server does not say. */
  contextTokens: number | null
}

export interface Sight {
  models: ProbedModel[]
  /** Whether it can take no call now; absent when it does not say. */
  busy?: boolean
}

/** How one kind of server is asked about itself, without a call to a model. */
export interface KindProbe {
  /** @throws {ModelFailure} */
  look(ask: Ask): Promise<Sight>
  /** The quickest answer about one model. @throws {ModelFailure} */
  warmth(ask: Ask, servedName: string): Promise<Warmth>
}

/**
 * Asks one path for JSON of a shape; with `null` as the shape any answer of success will do.
 * @throws {ModelFailure} `network`, `auth`, `overloaded` (503), `bad_output` (another path or shape: another product)
 */
export type Ask = <T = unknown>(path: string, shape: z.ZodType<T> | null) => Promise<T>

export function askServer(
  server: Pick<Server, 'kind' | 'url' | 'apiKey'>,
  signal: AbortSignal,
): Ask {
  const { host } = new URL(server.url)
  return async (path, shape) => {
    const response = await fetch(rootOf(server.url) + path, {
      signal,
      headers: headersFor(server),
    }).catch((cause) => {
      throw notReached(host, cause)
    })
    if (!response.ok) throw refused(host, path, response.status)
    const text = await response.text().catch((cause) => {
      throw notReached(host, cause)
    })
    if (shape === null) return undefined as never
    const parsed = shape.safeParse(jsonOf(text))
    if (parsed.success) return parsed.data
    throw new ModelFailure('bad_output', `${host} answers ${path} in another shape`)
  }
}

/** The answer, or null when the server has no such path. */
export async function ifOffered<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ModelFailure && error.failure === 'bad_output') return null
    throw error
  }
}

function headersFor({ kind, apiKey }: Pick<Server, 'kind' | 'apiKey'>): Record<string, string> {
  if (kind === 'anthropic') return { 'anthropic-version': '2023-06-01', 'x-api-key': apiKey ?? '' }
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
}

function notReached(host: string, cause: unknown): ModelFailure {
  const { name, cause: inner } = cause as Error & { cause?: { code?: string } }
  if (name === 'TimeoutError') {
    return new ModelFailure('timeout_total', `${host} did not answer in time`, { cause })
  }
  const code = inner?.code ? ` (${inner.code})` : ''
  return new ModelFailure('network', `${host} cannot be reached${code}`, { cause })
}

function refused(host: string, path: string, httpStatus: number): ModelFailure {
  const status = { httpStatus }
  if (httpStatus === 401 || httpStatus === 403) {
    return new ModelFailure('auth', `${host} refused the key`, status)
  }
  if (httpStatus === 503)
    return new ModelFailure('overloaded', `${host} is busy or loading`, status)
  if (httpStatus < 500) return new ModelFailure('bad_output', `${host} has no ${path}`, status)
  return new ModelFailure('server_error', `${host} failed on ${path} (HTTP ${httpStatus})`, status)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

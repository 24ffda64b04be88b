import { createHash } from 'node:crypto'

export interface CallIdentity {
  principal: string
  tool: string
  input: Readonly<Record<string, unknown>>
  requestId: string | undefined
}

/** Equal for calls that ask for the same; the order in which properties were written does not matter. */
export function callKeyOf({ principal, tool, input, requestId = '' }: CallIdentity): string {
  const text = JSON.stringify([principal, tool, requestId, input], (_, value: unknown) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).sort(byName)) : value,
  )
  return createHash('sha256').update(text).digest('base64url')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

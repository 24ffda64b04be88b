import type { Scope } from '@hyperguild/core/principal.ts'
import { isExpired } from '@hyperguild/core/token.ts'
import { createToken, readTokens, revokeToken } from '@hyperguild/io/auth/token-file.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { print, table } from './terminal.ts'

const DAY_MS = 86_400_000

export function createTokenFor(
  { tokensFile }: Environment,
  name: string,
  options: { scope: readonly Scope[]; days?: number; json?: boolean },
  nowMs: number,
): number {
  const { scope: scopes, days } = options
  const expires =
    days === undefined ? {} : { expires: new Date(nowMs + days * DAY_MS).toISOString() }
  const secret = createToken(tokensFile, { name, scopes, ...expires }, nowMs)
  if (options.json) {
    print(JSON.stringify({ name, scopes, token: secret, ...expires }))
    return 0
  }
  print(secret)
  process.stderr.write(
    `This is the only time the token is shown. Its hash is in ${tokensFile}; clients send it as "Authorization: Bearer <token>".\n`,
  )
  return 0
}

export function listTokens({ tokensFile }: Environment, asJson = false, nowMs: number): number {
  const tokens = readTokens(tokensFile).map(({ sha256: _, ...rest }) => rest)
  if (asJson) {
    print(JSON.stringify(tokens))
    return 0
  }
  if (tokens.length === 0) print(`There are no tokens in ${tokensFile}.`)
  else {
    const rows = readTokens(tokensFile).map((token) => [
      token.name,
      token.scopes.join(' '),
      token.created,
      token.expires ?? 'never',
      isExpired(token, nowMs) ? 'expired' : 'good',
    ])
    print(table(['name', 'scopes', 'created', 'expires', 'state'], rows))
  }
  return 0
}

export function revokeTokenOf({ tokensFile }: Environment, name: string): number {
  revokeToken(tokensFile, name)
  print(`The token "${name}" is revoked.`)
  return 0
}

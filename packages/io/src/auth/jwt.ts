import { type Principal, SCOPES, type Scope } from '@hyperguild/core/principal.ts'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export interface JwtOptions {
  jwksUrl: string
  issuer: string
  audience: string
}

/** The principal of a signed token, or null when it is not good. */
export type JwtVerifier = (token: string) => Promise<Principal | null>

/**
 * Verifies tokens of an identity provider: signature by its published keys, issuer, audience and time.
 * The subject is the principal's name; its scopes are those of ours that stand in `scope`, separated by spaces.
 * @see https://www.rfc-editor.org/rfc/rfc7519 and RFC 8725 on what must be checked
 */
export function createJwtVerifier({ jwksUrl, issuer, audience }: JwtOptions): JwtVerifier {
  const keys = createRemoteJWKSet(new URL(jwksUrl))
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        requiredClaims: ['exp', 'sub'],
      })
      const words = typeof payload.scope === 'string' ? payload.scope.split(' ') : []
      const scopes = SCOPES.filter((scope): scope is Scope => words.includes(scope))
      return { name: `jwt:${payload.sub}`, scopes }
    } catch {
      return null
    }
  }
}

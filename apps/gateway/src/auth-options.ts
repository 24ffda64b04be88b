import { ConfigError } from '@hyperguild/core/errors.ts'
import { isLoopbackHost } from '@hyperguild/core/loopback-host.ts'
import { createJwtVerifier, type JwtVerifier } from '@hyperguild/io/auth/jwt.ts'
import { openTokenFile } from '@hyperguild/io/auth/token-file.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import type { AuthOptions } from './auth.ts'

export const METADATA_PATH = '/.well-known/oauth-protected-resource'

/**
 * How this gateway tells who calls.
 * @throws {ConfigError} when it would listen beyond this machine and let everybody in
 */
export function authFrom(environment: Environment): AuthOptions {
  const tokens = openTokenFile(environment.tokensFile, Date.now)
  const verifyJwt = jwtVerifierFrom(environment)
  const isLoopback = isLoopbackHost(environment.host)
  if (!isLoopback && !tokens.hasTokens() && verifyJwt === null) {
    throw new ConfigError(
      `HYPERGUILD_HOST: ${environment.host} can be reached from other machines, and no token is set; run "hyperguild token create NAME" first, set HYPERGUILD_JWKS_URL, or listen on 127.0.0.1`,
    )
  }
  return {
    tokens,
    verifyJwt,
    opensToLocal: isLoopback && verifyJwt === null,
    metadataUrl: new URL(METADATA_PATH, resourceUrl(environment)).href,
  }
}

/** Where clients reach this gateway, as far as it knows. */
export function resourceUrl({ publicUrl, host, port }: Environment): string {
  return publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function jwtVerifierFrom({ jwksUrl, jwtIssuer, jwtAudience }: Environment): JwtVerifier | null {
  if (jwksUrl === undefined) return null
  if (jwtIssuer === undefined || jwtAudience === undefined) {
    throw new ConfigError(
      'HYPERGUILD_JWKS_URL: needs HYPERGUILD_JWT_ISSUER and HYPERGUILD_JWT_AUDIENCE beside it, or anybody with a token of that provider could call',
    )
  }
  return createJwtVerifier({ jwksUrl, issuer: jwtIssuer, audience: jwtAudience })
}

import { ConfigError } from '@hyperguild/core/errors.ts'
import { isLoopbackHost } from '@hyperguild/core/loopback-host.ts'
import { isExpired } from '@hyperguild/core/token.ts'
import { readTokens } from '@hyperguild/io/auth/token-file.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { type Finding, fine, fromConfigError, problem } from './finding.ts'

const CREATE = 'make one: hyperguild token create NAME'

/** Who may call a gateway with this environment. */
export function examineAccess(
  { host, tokensFile, jwksUrl, jwtIssuer, jwtAudience }: Environment,
  nowMs: number,
): Finding {
  if (jwksUrl !== undefined && (jwtIssuer === undefined || jwtAudience === undefined)) {
    const missing = 'HYPERGUILD_JWKS_URL is set without issuer and audience'
    return problem('access', missing, 'set HYPERGUILD_JWT_ISSUER and HYPERGUILD_JWT_AUDIENCE')
  }
  try {
    const tokens = readTokens(tokensFile)
    const good = tokens.filter((token) => !isExpired(token, nowMs)).length
    const expired = tokens.length - good
    const ways = [
      ...(good > 0 ? [`${good} good ${good === 1 ? 'token' : 'tokens'}`] : []),
      ...(jwksUrl === undefined ? [] : [`tokens of ${jwtIssuer}`]),
    ]
    const spent = expired > 0 ? ` (${expired} expired)` : ''
    if (ways.length > 0) return fine('access', `${host}, for ${ways.join(' and ')}${spent}`)
    if (expired > 0) return problem('access', `all ${expired} tokens have expired`, CREATE)
    if (isLoopbackHost(host)) return fine('access', `${host}, for everybody on this machine`)
    return problem('access', `${host} can be reached from elsewhere, and there is no token`, CREATE)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return fromConfigError('access', error)
  }
}

import type { Principal, Scope } from '@hyperguild/core/principal.ts'
import { LOCAL } from '@hyperguild/core/principal.ts'
import type { JwtVerifier } from '@hyperguild/io/auth/jwt.ts'
import type { TokenFinder } from '@hyperguild/io/auth/token-file.ts'
import type { Context, MiddlewareHandler } from 'hono'
import { holds } from './operations.ts'
import { problem } from './problem.ts'

/** Who may come in, and how. */
export interface AuthOptions {
  tokens: TokenFinder
  verifyJwt: JwtVerifier | null
  /** Whether callers without a token are let in, as `local`: only on loopback, and only while there are no tokens. */
  opensToLocal: boolean
  /** Where the metadata of RFC 9728 can be read. */
  metadataUrl: string
}

declare module 'hono' {
  interface ContextVariableMap {
    principal: Principal
  }
}

/** Who asked; set by `authenticate` on every route it guards. */
export function principalOf(c: Context): Principal {
  return c.get('principal')
}

/** Lets in whoever has a good token and remembers who it is; answers 401 to everybody else. */
export function authenticate(options: AuthOptions): MiddlewareHandler {
  return async function authenticated(c, next) {
    const principal = await identify(options, c.req.header('authorization'))
    if (principal === null) return unauthorized(options, c)
    c.set('principal', principal)
    return next()
  }
}

/** Lets on only who holds a scope. Comes after `authenticate`. */
export function requireScope(scope: Scope): MiddlewareHandler {
  return async function scoped(c, next) {
    if (holds(principalOf(c), scope)) return next()
    return problem(c, 'forbidden', `this needs a token with the scope "${scope}"`)
  }
}

async function identify(
  { tokens, verifyJwt, opensToLocal }: AuthOptions,
  header: string | undefined,
): Promise<Principal | null> {
  const secret = secretIn(header)
  if (secret === null) return opensToLocal && !tokens.hasTokens() ? LOCAL : null
  const token = tokens.find(secret)
  if (token) return { name: token.name, scopes: token.scopes }
  return verifyJwt ? verifyJwt(secret) : null
}

/** Browsers ask for a password where they cannot send a bearer token: the token is the password. */
function secretIn(header: string | undefined): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(header ?? '')
  if (bearer) return bearer[1]!
  const basic = /^Basic +(\S+)$/i.exec(header ?? '')
  if (!basic) return header === undefined ? null : ''
  return Buffer.from(basic[1]!, 'base64').toString().split(':').slice(1).join(':')
}

function unauthorized({ metadataUrl }: AuthOptions, c: Context): Response {
  const error = c.req.header('authorization') === undefined ? '' : ', error="invalid_token"'
  c.header('WWW-Authenticate', `Bearer resource_metadata="${metadataUrl}"${error}`)
  if (c.req.path.startsWith('/board')) {
    c.header('WWW-Authenticate', 'Basic realm="hyperguild"', { append: true })
  }
  return problem(c, 'unauthorized', 'a good token is needed: Authorization: Bearer …')
}

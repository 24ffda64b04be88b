import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createJwtVerifier } from './jwt.ts'

const ISSUER = 'https://login.example'
const AUDIENCE = 'hyperguild'

/** An identity provider with one key, and a verifier that trusts it. */
async function startProvider() {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'one' }] }
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const verify = createJwtVerifier({
    jwksUrl: `http://127.0.0.1:${port}/keys`,
    issuer: ISSUER,
    audience: AUDIENCE,
  })
  const sign = (claims: JWTPayload, key = privateKey) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(key)
  return { verify, sign }
}

const soon = Math.floor(Date.now() / 1000) + 600
const good = { iss: ISSUER, aud: AUDIENCE, sub: 'ann', exp: soon, scope: 'openid call read' }

describe('a token of the identity provider', () => {
  test('names its subject and those of our scopes that it holds', async () => {
    const { verify, sign } = await startProvider()
    expect(await verify(await sign(good))).toEqual({ name: 'jwt:ann', scopes: ['call', 'read'] })
    expect(await verify(await sign({ ...good, scope: 'openid' }))).toMatchObject({ scopes: [] })
  })

  test.each([
    ['for somebody else', { ...good, aud: 'another' }],
    ['of another issuer', { ...good, iss: 'https://evil.example' }],
    ['that has expired', { ...good, exp: soon - 3600 }],
    ['that never expires', { ...good, exp: undefined }],
    ['without a subject', { ...good, sub: undefined }],
  ])('%s is not taken', async (_, claims) => {
    const { verify, sign } = await startProvider()
    expect(await verify(await sign(claims as JWTPayload))).toBeNull()
  })

  test('signed with another key, with none, or no token at all, is not taken', async () => {
    const { verify, sign } = await startProvider()
    const other = await generateKeyPair('ES256')
    expect(await verify(await sign(good, other.privateKey))).toBeNull()
    expect(await verify(new UnsecuredJWT(good).encode())).toBeNull()
    expect(await verify('not.a.token')).toBeNull()
  })
})

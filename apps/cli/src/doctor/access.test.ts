import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createToken } from '@hyperguild/io/auth/token-file.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { expect, onTestFinished, test } from 'vitest'
import { examineAccess } from './access.ts'

const NOW = Date.parse('2026-11-22T10:00:00Z')
const PAST = '2026-11-21T10:00:00Z'
const JWKS = { HYPERGUILD_JWKS_URL: 'https://login.example/keys' }
const ISSUER = {
  ...JWKS,
  HYPERGUILD_JWT_ISSUER: 'https://login.example',
  HYPERGUILD_JWT_AUDIENCE: 'hyperguild',
}
const EVERYWHERE = { HYPERGUILD_HOST: '0.0.0.0' }

async function newTokensFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-access-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'tokens.yaml')
}

test.each([
  ['nothing', [], {}, 'ok', '127.0.0.1, for everybody on this machine'],
  ['a token', [undefined], {}, 'ok', '127.0.0.1, for 1 good token'],
  [
    'tokens, one of them old',
    [undefined, PAST],
    EVERYWHERE,
    'ok',
    '0.0.0.0, for 1 good token (1 expired)',
  ],
  ['only old tokens', [PAST], {}, 'problem', 'all 1 tokens have expired'],
  [
    'an address without tokens',
    [],
    EVERYWHERE,
    'problem',
    '0.0.0.0 can be reached from elsewhere, and there is no token',
  ],
  [
    'an identity provider',
    [],
    { ...EVERYWHERE, ...ISSUER },
    'ok',
    '0.0.0.0, for tokens of https://login.example',
  ],
  [
    'half an identity provider',
    [],
    JWKS,
    'problem',
    'HYPERGUILD_JWKS_URL is set without issuer and audience',
  ],
])('with %s the doctor tells who may call', async (_, expiries, variables, state, detail) => {
  const file = await newTokensFile()
  for (const [index, expires] of expiries.entries()) {
    const token = { name: `t${index}`, scopes: ['call'] as const, ...(expires ? { expires } : {}) }
    createToken(file, token, NOW)
  }
  const environment = readEnvironment({ HYPERGUILD_TOKENS_FILE: file, ...variables })
  expect(examineAccess(environment, NOW)).toMatchObject({ what: 'access', state, detail })
})

test('a tokens file that cannot be understood is a problem with its line', async () => {
  const file = await newTokensFile()
  await writeFile(file, 'tokens: [')
  const finding = examineAccess(readEnvironment({ HYPERGUILD_TOKENS_FILE: file }), NOW)
  expect(finding).toMatchObject({ state: 'problem', detail: expect.stringContaining(`${file}:1`) })
})

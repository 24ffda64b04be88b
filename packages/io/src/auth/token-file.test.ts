import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createToken, openTokenFile, readTokens, revokeToken } from './token-file.ts'

const NOW = Date.parse('2026-11-22T10:00:00Z')
const HOUR_MS = 3_600_000

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hyperguild-tokens-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'inner', 'tokens.yaml')
}

test('a token is kept only as a hash, in a file that only its owner can read', () => {
  const file = newFile()
  const secret = createToken(file, { name: 'ci', scopes: ['call'] }, NOW)
  expect(secret).toMatch(/^hg_[A-Za-z0-9_-]{43}$/)
  expect(readFileSync(file, 'utf8')).not.toContain(secret)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readTokens(file)).toMatchObject([{ name: 'ci', scopes: ['call'] }])
})

test('a token is found until it expires', () => {
  const file = newFile()
  let now = NOW
  const expires = new Date(NOW + HOUR_MS).toISOString()
  const secret = createToken(file, { name: 'ci', scopes: ['read'], expires }, NOW)
  const tokens = openTokenFile(file, () => now)
  expect(tokens.find(secret)).toMatchObject({ name: 'ci', scopes: ['read'] })
  expect(tokens.find(`${secret}x`)).toBeUndefined()
  now = NOW + HOUR_MS
  expect(tokens.find(secret)).toBeUndefined()
})

test('a token made or revoked later is noticed; a file spoiled by hand keeps what was good', () => {
  const file = newFile()
  let now = NOW
  const tokens = openTokenFile(file, () => now)
  expect(tokens.hasTokens()).toBe(false)
  const secret = createToken(file, { name: 'ci', scopes: ['call'] }, NOW)
  now += 1_000
  expect(tokens.find(secret)).toBeDefined()
  writeFileSync(file, 'tokens: [')
  now += 1_000
  expect(tokens.find(secret)).toBeDefined()
  writeFileSync(file, '')
  now += 1_000
  expect(tokens.find(secret)).toBeUndefined()
})

test('a name is used once, and only a token that is there can be revoked', () => {
  const file = newFile()
  createToken(file, { name: 'ci', scopes: ['call'] }, NOW)
  expect(() => createToken(file, { name: 'ci', scopes: ['call'] }, NOW)).toThrow(
    'there is a token "ci" already; revoke it first, or choose another name',
  )
  expect(() => createToken(file, { name: 'a b', scopes: ['call'] }, NOW)).toThrow(/^name: must be/)
  expect(() => revokeToken(file, 'cx')).toThrow('there is no token "cx"; there are: ci')
  revokeToken(file, 'ci')
  expect(readTokens(file)).toEqual([])
})

test('a file with a mistake names line and key', () => {
  const file = newFile()
  createToken(file, { name: 'ci', scopes: ['call'] }, NOW)
  writeFileSync(file, readFileSync(file, 'utf8').replace('call', 'everything'))
  expect(() => readTokens(file)).toThrow(/tokens\.yaml:\d+: tokens\.0\.scopes\.0: /)
})

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findEndpoint } from '../models/endpoints.ts'
import { findClaudeCode, findClaudeProgram } from './find-claude.ts'

const HOUR_MS = 3_600_000

/** A machine with the program on its PATH and, perhaps, somebody signed in. */
function machine({ expiresAt, ...more }: { expiresAt?: number; token?: string } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hyperguild-claude-find-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'claude'), '#!/bin/sh\n')
  chmodSync(join(folder, 'claude'), 0o755)
  const configDir = join(folder, '.claude')
  mkdirSync(configDir)
  if (expiresAt !== undefined) {
    const claudeAiOauth = { accessToken: 'login', refreshToken: 'renew', expiresAt }
    writeFileSync(join(configDir, '.credentials.json'), JSON.stringify({ claudeAiOauth }))
  }
  return {
    program: undefined,
    token: undefined,
    ...more,
    searchPath: `/nowhere:${folder}`,
    configDir,
  }
}

const hosted = { url: 'https://api.anthropic.com', apiKey: undefined }
const signInAt = (
  places: ReturnType<typeof machine>,
  server: Parameters<typeof findClaudeCode>[1],
) => {
  const found = findClaudeCode(places, server)
  return typeof found === 'string' ? found : found.signIn()
}

test('the program is the one that is named, else claude on PATH', () => {
  const places = machine()
  expect(findClaudeProgram(places)).toMatch(/hyperguild-claude-find-.*claude$/)
  expect(findClaudeProgram({ ...places, program: process.execPath })).toBe(process.execPath)
  expect(findClaudeCode({ ...places, program: '/no/such' }, hosted)).toBe(
    '/no/such is no program; correct HYPERGUILD_CLAUDE_PATH',
  )
  expect(findClaudeCode({ ...places, searchPath: '/nowhere' }, hosted)).toMatch(
    /not installed; run/,
  )
})

test('it signs in with the key of the server, else with the token, else with the login of this machine', () => {
  const later = { expiresAt: Date.now() + HOUR_MS }
  expect(signInAt(machine({ ...later, token: 't' }), { ...hosted, apiKey: 'k' })).toEqual({
    variable: 'ANTHROPIC_API_KEY',
    secret: 'k',
  })
  const oauth = (secret: string) => ({ variable: 'CLAUDE_CODE_OAUTH_TOKEN', secret })
  expect(signInAt(machine({ ...later, token: 't' }), hosted)).toEqual(oauth('t'))
  expect(signInAt(machine(later), hosted)).toEqual(oauth('login'))
})

test('without access it says how to get it; a login that has expired is not used', () => {
  expect(signInAt(machine(), hosted)).toMatch(
    /no access; set ANTHROPIC_API_KEY.*claude setup-token/,
  )
  expect(signInAt(machine({ expiresAt: Date.now() - 1 }), hosted)).toMatch(
    /has expired; run claude/,
  )
})

test('the login of this machine goes to Anthropic alone', () => {
  const places = machine({ expiresAt: Date.now() + HOUR_MS })
  expect(signInAt(places, { ...hosted, url: 'http://proxy:4000' })).toMatch(/no access/)
  expect(signInAt(places, { ...hosted, url: 'https://api.anthropic.com/v1' })).toMatchObject({
    secret: 'login',
  })
})

test('the address of another server is told without its version', () => {
  const found = findClaudeCode(machine({ token: 't' }), { ...hosted, url: 'http://proxy:4000/v1' })
  expect(found).toMatchObject({ baseUrl: 'http://proxy:4000' })
})

test('claude-* goes through it where models.yaml says so, and where there is no key', () => {
  const executorOf = (places: Parameters<typeof findEndpoint>[1], config = {}) => {
    const found = findEndpoint(config, places, 'claude-a')
    return typeof found === 'string' ? found : found.claudeCode === null ? 'api' : 'claude-code'
  }
  const places = {
    litellmBaseUrl: undefined,
    litellmApiKey: undefined,
    localKind: 'litellm',
  } as const
  const keyless = { ...places, anthropicApiKey: undefined, anthropicBaseUrl: undefined }
  const withKey = { ...keyless, anthropicApiKey: 'k' }
  const saying = (executor: string) => ({ models: { 'claude-a': { executor } } }) as object
  const claude = machine({ token: 't' })

  expect(executorOf({ ...withKey, claude })).toBe('api')
  expect(executorOf({ ...withKey, claude }, saying('claude-code'))).toBe('claude-code')
  expect(executorOf({ ...keyless, claude })).toBe('claude-code')
  expect(executorOf({ ...keyless, claude }, saying('api'))).toMatch(/set ANTHROPIC_API_KEY/)
  expect(executorOf({ ...keyless, claude: machine() })).toMatch(/set ANTHROPIC_API_KEY/)
  const absent = { ...claude, searchPath: '' }
  expect(executorOf({ ...withKey, claude: absent }, saying('claude-code'))).toMatch(/not installed/)
})

test('a server of another kind cannot be used by it', () => {
  const config = {
    backends: { gate: { kind: 'litellm', url: 'http://gate:4000' } },
    models: { 'claude-a': { backend: 'gate', executor: 'claude-code' } },
  } as const
  const places = {
    litellmBaseUrl: undefined,
    litellmApiKey: undefined,
    localKind: 'litellm',
  } as const
  const found = findEndpoint(
    config,
    { ...places, anthropicApiKey: 'k', anthropicBaseUrl: undefined, claude: machine() },
    'claude-a',
  )
  expect(found).toMatch(/kind litellm; write models.claude-a.executor: api/)
})

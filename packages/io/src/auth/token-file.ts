import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Scope } from '@hyperguild/core/principal.ts'
import { isExpired, type Token, tokensFileSchema } from '@hyperguild/core/token.ts'
import { stringify } from 'yaml'
import { parseYaml } from '../config/parse-yaml.ts'

/** What a token looks like, so that secret scanners can find one that leaked. */
const PREFIX = 'hg_'
/** A revoked token stops working after at most so long. */
const LOOK_MS = 1_000

/** @throws {ConfigError} when the file is there and cannot be read or understood */
export function readTokens(path: string): readonly Token[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new ConfigError(`HYPERGUILD_TOKENS_FILE: ${path} cannot be read; make it readable`)
  }
  return text.trim() === '' ? [] : parseYaml(tokensFileSchema, text, path).tokens
}

/**
 * Makes a token and keeps its hash.
 * @returns the token itself, which is nowhere else: whoever asked must keep it
 * @throws {ConfigError} when the name is taken or not possible
 */
export function createToken(
  path: string,
  wanted: { name: string; scopes: readonly Scope[]; expires?: string },
  nowMs: number,
): string {
  const tokens = readTokens(path)
  if (tokens.some((token) => token.name === wanted.name)) {
    throw new ConfigError(
      `there is a token "${wanted.name}" already; revoke it first, or choose another name`,
    )
  }
  const secret = PREFIX + randomBytes(32).toString('base64url')
  const created = new Date(nowMs).toISOString()
  const token = {
    ...wanted,
    scopes: [...wanted.scopes],
    created,
    sha256: hashOf(secret).toString('hex'),
  }
  const checked = tokensFileSchema.safeParse({ tokens: [token] })
  if (!checked.success) {
    throw new ConfigError(
      checked.error.issues.map((issue) => `${String(issue.path.at(-1))}: ${issue.message}`),
    )
  }
  writeTokens(path, [...tokens, ...checked.data.tokens])
  return secret
}

/** @throws {ConfigError} when there is no such token */
export function revokeToken(path: string, name: string): void {
  const tokens = readTokens(path)
  if (!tokens.some((token) => token.name === name)) {
    const names = tokens.map((token) => token.name).join(', ') || 'none'
    throw new ConfigError(`there is no token "${name}"; there are: ${names}`)
  }
  writeTokens(
    path,
    tokens.filter((token) => token.name !== name),
  )
}

export interface TokenFinder {
  /** The token this secret belongs to, if it is good now. */
  find(secret: string): Token | undefined
  /** Whether any token is kept, good or not. */
  hasTokens(): boolean
}

/** Finds tokens in a file that may change while we run. @throws {ConfigError} when it cannot be understood at first */
export function openTokenFile(path: string, now: () => number): TokenFinder {
  let tokens = readTokens(path)
  let seen = versionOf(path)
  let lookedAtMs = now()
  function refresh(): void {
    if (now() - lookedAtMs < LOOK_MS) return
    lookedAtMs = now()
    const version = versionOf(path)
    if (version === seen) return
    // A file half edited by hand keeps what was good before.
    try {
      tokens = readTokens(path)
      seen = version
    } catch {}
  }
  return {
    find(secret) {
      refresh()
      const hash = hashOf(secret)
      // Every token is compared, so that the time taken tells nothing of which one came close.
      const found = tokens.filter((token) =>
        timingSafeEqual(Buffer.from(token.sha256, 'hex'), hash),
      )
      return found.find((token) => !isExpired(token, now()))
    },
    hasTokens() {
      refresh()
      return tokens.length > 0
    },
  }
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function versionOf(path: string): string {
  try {
    const { mtimeNs, size, ino } = statSync(path, { bigint: true })
    return `${mtimeNs}-${size}-${ino}`
  } catch {
    return ''
  }
}

function writeTokens(path: string, tokens: readonly Token[]): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.new`
  const file = openSync(draft, 'w', 0o600)
  try {
    writeSync(file, stringify({ tokens }))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}

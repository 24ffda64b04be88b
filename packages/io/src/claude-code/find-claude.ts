import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { findProgram, isExecutableFile } from '../process/find-program.ts'

/** Where the environment says that Claude Code and its login are. */
export interface ClaudePlaces {
  /** Instead of `claude` on the search path. */
  program: string | undefined
  searchPath: string
  token: string | undefined
  /** Where the user of this machine keeps the settings of Claude Code. */
  configDir: string | undefined
}

/** What opens Anthropic's API for Claude Code, as the variable it reads. */
export interface SignIn {
  variable: 'ANTHROPIC_API_KEY' | 'CLAUDE_CODE_OAUTH_TOKEN'
  secret: string
}

/** Claude Code as it is installed here, for one server. */
export interface ClaudeCode {
  program: string
  /** Null for Anthropic's own. */
  baseUrl: string | null
  /** Read anew for each run: a login expires and is renewed. */
  signIn(): SignIn | { problem: string }
}

const ANTHROPIC = 'https://api.anthropic.com'
const SIGN_IN =
  'set ANTHROPIC_API_KEY, or set CLAUDE_CODE_OAUTH_TOKEN to what `claude setup-token` prints'

/** The program, or null when there is none. */
export function findClaudeProgram({ program, searchPath }: ClaudePlaces): string | null {
  if (program !== undefined) return isExecutableFile(program) ? program : null
  return findProgram('claude', searchPath)
}

/** Claude Code with a way into the API, or what keeps it from being used. */
export function findClaudeCode(
  places: ClaudePlaces,
  server: { url: string; apiKey: string | undefined },
): ClaudeCode | string {
  const program = findClaudeProgram(places)
  if (program === null) {
    return places.program === undefined
      ? 'Claude Code is not installed; run npm install -g @anthropic-ai/claude-code, or set HYPERGUILD_CLAUDE_PATH'
      : `${places.program} is no program; correct HYPERGUILD_CLAUDE_PATH`
  }
  const url = server.url.replace(/\/(v1\/?)?$/, '')
  const baseUrl = url === ANTHROPIC ? null : url
  const signIn = () => signInWith(places, server.apiKey, baseUrl)
  const found = signIn()
  return 'problem' in found ? found.problem : { program, baseUrl, signIn }
}

/** The key of the server goes first. The login of this machine's user goes to Anthropic alone. */
function signInWith(
  { token, configDir }: ClaudePlaces,
  apiKey: string | undefined,
  baseUrl: string | null,
): SignIn | { problem: string } {
  if (apiKey !== undefined) return { variable: 'ANTHROPIC_API_KEY', secret: apiKey }
  if (token !== undefined) return { variable: 'CLAUDE_CODE_OAUTH_TOKEN', secret: token }
  const login = configDir === undefined || baseUrl !== null ? null : readLogin(configDir)
  if (login === null) return { problem: `Claude Code has no access; ${SIGN_IN}` }
  if (login.expiresAt <= Date.now()) {
    return { problem: `the login of Claude Code has expired; run claude once, or ${SIGN_IN}` }
  }
  return { variable: 'CLAUDE_CODE_OAUTH_TOKEN', secret: login.accessToken }
}

const credentials = z.object({
  claudeAiOauth: z.object({ accessToken: z.string().min(1), expiresAt: z.number() }),
})

/** Only the token for now is taken: renewing it here would end the login that it belongs to. */
function readLogin(configDir: string): { accessToken: string; expiresAt: number } | null {
  try {
    const text = readFileSync(join(configDir, '.credentials.json'), 'utf8')
    return credentials.parse(JSON.parse(text)).claudeAiOauth
  } catch {
    return null
  }
}

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createToken } from '@hyperguild/io/auth/token-file.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CLAUDE_CODE, installClaudeCode } from './install-claude-code.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

// How long the model of the tool that is called takes. `npm run test:claude` says 75, which is more than the 60 s after
// which Claude Code gives up on a server that shows no sign of life.
const SECONDS = Number(process.env.CLAUDE_CALL_SECONDS ?? 3)
const TIMEOUT_MS = (SECONDS + 60) * 1000

const program = await installClaudeCode()

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-claude-client-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A fleet behind a token, whose simulated Anthropic API has Claude Code call a tool of the fleet. */
async function startFleet() {
  const folder = await makeFolder()
  const project = await mkdtemp(join(folder, 'project-'))
  await writeFile(join(project, 'a.js'), 'a()\n')
  const input = { project_root: project, files: ['a.js'] }
  const rules = [
    { skill: 'verifier', answer: { accept: true, feedback: 'Fine.' } },
    { skill: 'review', delay_ms: SECONDS * 1000, answer: { message: 'All good.', findings: [] } },
    { turns: [{ tool: 'mcp__guild__review', input }, { text: 'The review is there.' }] },
  ]
  const tokensFile = join(folder, 'tokens.yaml')
  const token = createToken(tokensFile, { name: 'claude', scopes: ['call'] }, Date.now())
  const fleet = await startTestFleet({
    script: JSON.stringify({ rules }),
    chains: 'verifier: claude-judge\ndefault_chain: [ollama/small]\n',
    environment: {
      HYPERGUILD_SANDBOX: 'none',
      HYPERGUILD_ROOTS: folder,
      HYPERGUILD_TOKENS_FILE: tokensFile,
      HYPERGUILD_FIRST_TOKEN_MS: '300000',
    },
  })
  return { fleet, token, project }
}

/** Claude Code with a home of its own. */
async function prepareClaude({ models }: TestFleet, variables: Record<string, string>) {
  const home = await makeFolder()
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: home,
    ANTHROPIC_API_KEY: 'simulated',
    ANTHROPIC_BASE_URL: models.url,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    ...variables,
  }
  return async (...args: string[]) => {
    const running = promisify(execFile)(program!, args, { cwd: home, env })
    running.child.stdin!.end('Have a.js reviewed.')
    return (await running).stdout
  }
}

describe.skipIf(program === null)(`the real client ${CLAUDE_CODE}`, () => {
  test.each([
    ['follows the task', {}],
    ['without tasks holds the stream', { CLAUDE_CODE_DISABLE_MCP_TASKS: '1' }],
  ])(
    `adds the gateway, calls a tool that takes ${SECONDS} s, and %s to its result`,
    async (_, variables) => {
      const { fleet, token } = await startFleet()
      const claude = await prepareClaude(fleet, variables)
      const header = ['--header', `Authorization: Bearer ${token}`]
      const server = ['--scope', 'user', '--transport', 'http', 'guild', `${fleet.url}/mcp`]
      await claude('mcp', 'add', ...server, ...header)
      expect(await claude('mcp', 'list')).toMatch(/^guild: .* Connected$/m)

      const said = await claude(
        ...['-p', '--output-format', 'json', '--model', 'claude-driver', '--tools', ''],
        ...['--permission-mode', 'dontAsk', '--allowedTools', 'mcp__guild__review'],
      )
      expect(JSON.parse(said)).toMatchObject({ is_error: false, result: 'The review is there.' })
      const calls = fleet.models.calls().filter(({ model }) => model === 'claude-driver')
      expect(calls).toHaveLength(2)
      expect(calls[1]!.promptText).toContain('"status":"pass"')
      expect(calls[1]!.promptText).toContain('"message":"All good."')
      expect(fleet.models.calls().filter(({ skill }) => skill === 'review')).toHaveLength(1)
    },
    TIMEOUT_MS,
  )
})

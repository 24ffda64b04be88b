import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CallSettings } from '@hyperguild/core/backend.ts'
import type { JsonSchema } from '@hyperguild/core/json-schema.ts'
import type { ClaudeCode, SignIn } from './find-claude.ts'
import type { OfferedTools } from './offer-tools.ts'

/** What Claude Code may do with files. Neither way has a shell, the network, or anything outside of the workspace. */
const FILE_TOOLS = {
  none: [],
  read: ['Read', 'Grep', 'Glob'],
  edit: ['Read', 'Grep', 'Glob', 'Write', 'Edit'],
} as const satisfies Record<string, readonly string[]>

export type FileAccess = keyof typeof FILE_TOOLS

/** Name of our tool server as the model sees it: its tools are called `mcp__guild__<name>`. */
const SERVER = 'guild'
/** How the answer is handed in; Claude Code offers it by itself when there is a schema. */
const ANSWER_TOOL = 'StructuredOutput'
const RETRIES_PER_CALL = 3
const TOOL_TIMEOUT_MS = 3_600_000

export interface Assignment {
  /** As the server calls it. */
  model: string
  effort: CallSettings['effort']
  /** The discipline; how to work is added. */
  system: string
  task: string
  answerSchema: JsonSchema
  files: FileAccess
  maxTurns: number
  budgetUsd: number
}

/** Every tool the model must be offered, and no other. */
export function toolsFor(files: FileAccess, offered: OfferedTools | null): string[] {
  return [...FILE_TOOLS[files], ...ourToolNames(offered), ANSWER_TOOL]
}

/**
 * The command line, without the program. Repositories bring settings, hooks, tool servers and instructions of their own;
 * with these flags none of them is read. The task goes through stdin and secrets through the environment or a file:
 * an argument is seen by every user of the machine.
 */
export function claudeArguments(
  { model, effort, answerSchema, files, maxTurns, budgetUsd }: Assignment,
  home: string,
  offered: OfferedTools | null,
): string[] {
  const tools = FILE_TOOLS[files]
  const allowed = [...tools, ...ourToolNames(offered)]
  return [
    ...['-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    ...['--no-session-persistence', '--restricted', '--setting-sources', 'user'],
    ...['--disable-slash-commands', '--permission-mode', 'dontAsk'],
    ...['--strict-mcp-config', '--mcp-config', join(home, TOOL_SERVERS)],
    ...['--tools', tools.join(',')],
    ...(allowed.length > 0 ? ['--allowedTools', ...allowed] : []),
    ...['--model', model, ...(effort === null ? [] : ['--effort', effort])],
    ...['--system-prompt-file', join(home, SYSTEM_TEXT)],
    ...['--json-schema', JSON.stringify(answerSchema)],
    ...['--max-turns', String(maxTurns), '--max-budget-usd', String(budgetUsd)],
  ]
}

/** All variables the program gets; nothing is inherited. */
export function claudeEnvironment(
  { baseUrl }: Pick<ClaudeCode, 'baseUrl'>,
  { variable, secret }: SignIn,
  home: string,
): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HOME: home,
    CLAUDE_CONFIG_DIR: join(home, '.claude'),
    TMPDIR: join(home, 'tmp'),
    [variable]: secret,
    ...(baseUrl === null ? {} : { ANTHROPIC_BASE_URL: baseUrl }),
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // Ten by default: a refused key would hang for more than a minute.
    CLAUDE_CODE_MAX_RETRIES: String(RETRIES_PER_CALL),
    MCP_TOOL_TIMEOUT: String(TOOL_TIMEOUT_MS),
  }
}

const SYSTEM_TEXT = 'system.md'
const TOOL_SERVERS = 'tool-servers.json'

/** How to work, for the system text; the same for every skill. */
const RULES = {
  none: `Hand in your answer once, through ${ANSWER_TOOL}: its arguments are all of it.`,
  read:
    'The project is your working directory; paths in the task and in your answer are relative to it. Look only at what ' +
    `the task does not already show. When done, call ${ANSWER_TOOL} once: its arguments are your whole answer.`,
}

/** Fills the private home: what would be too long or too secret for the command line. */
export async function prepareHome(
  directory: string,
  { system, files }: Pick<Assignment, 'system' | 'files'>,
  offered: OfferedTools | null,
): Promise<void> {
  const text = `${system}\n\n${files === 'none' ? RULES.none : RULES.read}`
  await mkdir(join(directory, 'tmp'))
  await writeFile(join(directory, SYSTEM_TEXT), text, { mode: 0o600 })
  const servers = offered === null ? {} : { [SERVER]: serverEntry(offered) }
  const config = JSON.stringify({ mcpServers: servers })
  await writeFile(join(directory, TOOL_SERVERS), config, { mode: 0o600 })
}

function serverEntry({ url, token }: OfferedTools) {
  const headers = { Authorization: `Bearer ${token}` }
  return { type: 'http', url, headers, timeout: TOOL_TIMEOUT_MS }
}

function ourToolNames(offered: OfferedTools | null): string[] {
  return offered?.names.map((name) => `mcp__${SERVER}__${name}`) ?? []
}

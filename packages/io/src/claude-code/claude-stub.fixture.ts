import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClaudeCode } from './find-claude.ts'
import type { ClaudeOptions } from './run-claude.ts'

/** What every stub can do: say lines, begin as Claude Code does, call our tool, end with an envelope. */
const STUB = `
const fs = require('node:fs')
const argv = process.argv.slice(2)
const valueOf = (flag) => argv[argv.indexOf(flag) + 1]
const { guild } = JSON.parse(fs.readFileSync(valueOf('--mcp-config'), 'utf8')).mcpServers
const say = (line) => fs.writeSync(1, JSON.stringify(line) + '\\n')
const tools = [
  ...valueOf('--tools').split(',').filter(Boolean),
  ...(guild ? ['mcp__guild__run_tests'] : []),
  'StructuredOutput',
]
const begin = (more = {}) => say({ type: 'system', subtype: 'init', tools, mcp_servers: [], ...more })
const request = () => say({ type: 'system', subtype: 'status', status: 'requesting' })
const event = (event) => say({ type: 'stream_event', event })
const call = (usage) => {
  request()
  event({ type: 'message_start', message: { usage: { ...usage, output_tokens: 1 } } })
  event({ type: 'message_delta', usage: { output_tokens: usage.output_tokens } })
}
const end = (envelope) =>
  say({ type: 'result', subtype: 'success', is_error: false, usage: {}, ...envelope })
const answer = { message: 'Done.' }
const callTool = (token = guild.headers.Authorization) =>
  fetch(guild.url, {
    method: 'POST',
    headers: {
      authorization: token,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'run_tests', arguments: {} },
    }),
  })
`

/** Writes a program that stands for `claude` and does what `script` says. */
export async function writeStub(folder: string, script: string): Promise<ClaudeCode> {
  const program = join(folder, 'claude')
  await writeFile(program, `#!${process.execPath}\n${STUB}\n;(async () => {\n${script}\n})()\n`)
  await chmod(program, 0o755)
  const signIn = () => ({ variable: 'ANTHROPIC_API_KEY', secret: 'sk-secret' }) as const
  return { program, baseUrl: null, signIn }
}

/** An assignment in which everything is said that a test does not say. */
export const ASSIGNMENT: Omit<ClaudeOptions, 'claude' | 'confinement' | 'workDir'> = {
  tools: [],
  model: 'claude-sonnet-4-6',
  effort: null,
  system: '# review\n\nIron laws',
  task: 'Task: review',
  answerSchema: {
    type: 'object',
    properties: { message: { type: 'string' } },
    required: ['message'],
    additionalProperties: false,
  },
  files: 'edit',
  maxTurns: 25,
  budgetUsd: 2,
}

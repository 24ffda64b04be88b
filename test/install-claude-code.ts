import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const CLAUDE_CODE = '@anthropic-ai/claude-code@2.1.330'

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hyperguild-tests')
const PROGRAM = 'node_modules/@anthropic-ai/claude-code/bin/claude.exe'

/**
 * The real Claude Code, which is no dependency of ours: installed once per machine (380 MB) beside other caches.
 * Null, and a line on stderr, where it cannot be had.
 */
export async function installClaudeCode(): Promise<string | null> {
  const folder = join(CACHE, CLAUDE_CODE.replace(/.*\//, ''))
  const program = join(folder, PROGRAM)
  try {
    if (!existsSync(program)) await install(folder)
    const { stdout } = await promisify(execFile)(program, ['--version'])
    if (!CLAUDE_CODE.endsWith(stdout.split(' ', 1)[0]!)) throw new Error(`it is ${stdout}`)
    return program
  } catch (error) {
    process.stderr.write(`${CLAUDE_CODE} cannot be installed, so it is not tested: ${error}\n`)
    return null
  }
}

/** Elsewhere first, so that nobody finds half of it. */
async function install(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const draft = await mkdtemp(join(CACHE, 'installing-'))
  try {
    await writeFile(join(draft, 'package.json'), '{"private": true}')
    const flags = ['--no-audit', '--no-fund', '--loglevel=error', '--foreground-scripts']
    await promisify(execFile)('npm', ['install', ...flags, CLAUDE_CODE], { cwd: draft })
    await rename(draft, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

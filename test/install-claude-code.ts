import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { installPackage } from './install-package.ts'

export const CLAUDE_CODE = '@anthropic-ai/claude-code@2.1.330'

/** The real Claude Code (380 MB), or null where it cannot be had or does not run. */
export async function installClaudeCode(): Promise<string | null> {
  const program = await installPackage(CLAUDE_CODE, 'bin/claude.exe')
  if (program === null) return null
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'])
    if (!CLAUDE_CODE.endsWith(stdout.split(' ', 1)[0]!)) throw new Error(`it is ${stdout}`)
    return program
  } catch (error) {
    process.stderr.write(`${CLAUDE_CODE} does not run here, so it is not tested: ${error}\n`)
    return null
  }
}

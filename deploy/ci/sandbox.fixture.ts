import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

export interface ScriptRun {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** A folder of one test; gone when the test ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hyperguild-ci-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The environment in which scripts run here: temporary files in `tmp`, git without anybody's settings. */
export function environmentIn(tmp: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: tmp,
    TMPDIR: tmp,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
  }
}

export interface StartedScript {
  run: Promise<ScriptRun>
  /** Resolves when the script has written a line to standard output. */
  firstOutput: Promise<unknown>
  kill(signal: NodeJS.Signals): void
}

/** Starts a script of deploy/ci. */
export function startScript(
  name: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): StartedScript {
  const child = spawn('sh', [resolve('deploy/ci', name), ...args], options)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  return {
    run: once(child, 'close').then(([exitCode]) => ({ exitCode, stdout, stderr })),
    firstOutput: once(child.stdout, 'data'),
    kill: (signal) => child.kill(signal),
  }
}

/** What is left in a folder of temporary files. */
export function leftIn(tmp: string): string[] {
  return readdirSync(tmp)
}

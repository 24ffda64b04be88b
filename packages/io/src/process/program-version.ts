import { execFile } from 'node:child_process'
import { isAbsolute } from 'node:path'
import { findProgram } from './find-program.ts'

const TIMEOUT_MS = 5000

/** What a program, on PATH or at a path, says of its version in one line; null when there is none or it does not run. */
export async function programVersion(name: string): Promise<string | null> {
  const path = isAbsolute(name) ? name : findProgram(name)
  if (path === null) return null
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: TIMEOUT_MS }, (error, stdout) => {
      resolve(error ? null : (stdout.split('\n', 1)[0]?.trim() ?? ''))
    })
  })
}

import { execFile } from 'node:child_process'

export interface ProgramRun {
  exitCode: number
  /** Standard output, then standard error. */
  output: string
  stdout: string
}

/** Runs a program to its end, whatever its exit code. */
export function runProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProgramRun> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { env: { ...process.env, ...environment }, maxBuffer: 64 * 2 ** 20 },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : Number(error.code ?? 1) || 1
        resolve({ exitCode, stdout, output: stdout + stderr })
      },
    )
  })
}

/** Its standard output without the last line end. @throws with all that it said when it fails */
export async function mustRun(
  program: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<string> {
  const { exitCode, stdout, output } = await runProgram(program, args, environment)
  if (exitCode === 0) return stdout.trimEnd()
  throw new Error(`${program} ${args.join(' ')} failed with ${exitCode}:\n${output.slice(-8000)}`)
}

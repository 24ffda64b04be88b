import type { Environment } from '@hyperguild/io/config/environment.ts'
import { checkConfig } from '@hyperguild/io/config/load-config.ts'

/** Prints every problem of every configuration file at once. Returns the exit code: 0 fine, 2 problems. */
export function check(environment: Environment, asJson: boolean): number {
  const problems = checkConfig(environment)
  if (asJson) process.stdout.write(`${JSON.stringify({ ok: problems.length === 0, problems })}\n`)
  else if (problems.length === 0) process.stdout.write('The configuration is fine.\n')
  else process.stderr.write(`${problems.join('\n')}\n`)
  return problems.length === 0 ? 0 : 2
}

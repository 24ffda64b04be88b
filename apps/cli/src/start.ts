import type { Environment } from '@hyperguild/io/config/environment.ts'
import { defaultRoots, startFleet } from './fleet.ts'
import { untilInterrupted } from './interrupt.ts'
import { print, style } from './terminal.ts'

/** Keeps a fleet up on this machine until Ctrl-C, and says how to use it. */
export async function start(environment: Environment): Promise<number> {
  const interrupted = untilInterrupted()
  const fleet = await startFleet({
    environment,
    dataDir: environment.dataDir,
    brainDir: environment.brainDir,
    sessionsDir: environment.sessionsDir,
    port: environment.port,
    roots: defaultRoots(environment),
    logLevel: environment.logLevel,
  })
  print(style('bold', 'The fleet is up.'))
  if (fleet.simulated) {
    print(
      style(
        'yellow',
        'The models are SIMULATED; set LITELLM_BASE_URL and ANTHROPIC_API_KEY for real ones.',
      ),
    )
  }
  print(`  MCP endpoint   ${fleet.url}/mcp`)
  print(`  board          ${fleet.url}/board`)
  print(`  projects under ${fleet.roots.join(', ')}`)
  print('Add it to Claude Code:')
  print(`  claude mcp add --transport http hyperguild ${fleet.url}/mcp`)
  print(style('dim', 'Ctrl-C stops everything.'))
  const end = await Promise.race([interrupted, fleet.broken])
  await fleet.close()
  if (end === 'interrupted') return 0
  process.stderr.write(`hyperguild: ${end}; the fleet has been stopped\n`)
  return 1
}

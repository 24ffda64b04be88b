import { type ModelsConfig, modelsNamedIn } from '@hyperguild/core/models-config.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import type { FoundServer } from '@hyperguild/io/models/discover.ts'
import { findEndpoint } from '@hyperguild/io/models/endpoints.ts'
import { defaultRoots, startFleet } from './fleet.ts'
import { untilInterrupted } from './interrupt.ts'
import { chooseModelSource, type ModelSource, servedOf, variablesFor } from './model-source.ts'
import { print, style } from './terminal.ts'

/** Keeps a fleet up on this machine until Ctrl-C, and says how to use it. */
export async function start(
  environment: Environment,
  options: { probePort?: number } = {},
): Promise<number> {
  const interrupted = untilInterrupted()
  const config = loadConfig(environment).models
  const models = await chooseModelSource(config, environment)
  const fleet = await startFleet({
    environment,
    models,
    dataDir: environment.dataDir,
    brainDir: environment.brainDir,
    sessionsDir: environment.sessionsDir,
    port: environment.port,
    roots: defaultRoots(environment),
    logLevel: environment.logLevel,
    ...options,
  })
  print(style('bold', 'The fleet is up.'))
  for (const line of sourceLines(models, config)) print(style('yellow', line))
  if (models.kind !== 'simulated') for (const line of claudeLines(config, environment)) print(line)
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

/** What a person must know about models that nobody configured. */
export function sourceLines(source: ModelSource, config: ModelsConfig): string[] {
  switch (source.kind) {
    case 'configured':
      return []
    case 'found': {
      const { server } = source
      const served = servedOf(config, server).join(', ')
      return [
        `Nothing says where local models are, so the ${server.kind} at ${server.url} is used: it has ${served}.`,
        `Set ${assignments(server)} to keep it so.`,
      ]
    }
    case 'simulated':
      return [
        'The models are SIMULATED; set LITELLM_BASE_URL and ANTHROPIC_API_KEY for real ones.',
        ...source.found.map(
          ({ kind, url }) =>
            `Found and not used: ${kind} at ${url}; ${source.why}. See: hyperguild doctor`,
        ),
      ]
  }
}

/** Whose account pays is worth a line, above all where nobody chose it. */
export function claudeLines(config: ModelsConfig, environment: Environment): string[] {
  const served = modelsNamedIn(config).filter((model) => {
    const endpoint = findEndpoint(config, environment, model)
    return typeof endpoint !== 'string' && endpoint.claudeCode !== null
  })
  return served.length === 0 ? [] : [`  Claude Code    does the work of ${served.join(', ')}`]
}

function assignments(server: FoundServer): string {
  return Object.entries(variablesFor(server))
    .map(([name, value]) => `${name}=${value}`)
    .join(' and ')
}

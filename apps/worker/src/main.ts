import { readFileSync } from 'node:fs'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { POOLS } from '@hyperguild/core/model.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { runService } from '@hyperguild/io/process/service.ts'
import { Command, Option } from 'commander'
import { startPool } from './pool.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

const program = new Command('hyperguild worker')
  .description('Serve the queues of one tier until stopped.')
  .addOption(
    new Option('--tier <tier>', 'whose models to serve').choices(POOLS).makeOptionMandatory(),
  )
  .option(
    '--models <names...>',
    'only these models, instead of all that models.yaml names for the tier',
  )
  .option('--concurrency <steps>', 'steps at once per model', wholeNumber)
  .showHelpAfterError()
  .parse()

const options = program.opts<{ tier: 'local' | 'cloud'; models?: string[]; concurrency?: number }>()

await runService(async () => {
  const environment = readEnvironment()
  if (!environment.redisUrl) {
    throw new ConfigError(
      'REDIS_URL: a worker needs the Redis of its fleet; set it, or run: npm start',
    )
  }
  const config = loadConfig(environment)
  const log = createLogger(`worker-${options.tier}`, environment.logLevel, environment.logFormat)
  return startPool({
    environment,
    config,
    log,
    redisUrl: environment.redisUrl,
    version,
    ...options,
  })
})

function wholeNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new ConfigError('--concurrency: write a whole number above 0')
}

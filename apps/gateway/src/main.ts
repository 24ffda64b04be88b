import { readFileSync } from 'node:fs'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { runService } from '@hyperguild/io/process/service.ts'
import { Command } from 'commander'
import { startGateway } from './gateway.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

new Command('hyperguild gateway')
  .description('Serve MCP, health and the board until stopped.')
  .showHelpAfterError()
  .parse()

await runService(async () => {
  const environment = readEnvironment()
  if (!environment.redisUrl) {
    throw new ConfigError(
      'REDIS_URL: a gateway needs the Redis of its fleet; set it, or run: npm start',
    )
  }
  const config = loadConfig(environment)
  const log = createLogger('gateway', environment.logLevel, environment.logFormat)
  return startGateway({ environment, config, log, redisUrl: environment.redisUrl, version })
})

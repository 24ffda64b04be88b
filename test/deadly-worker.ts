import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { runService } from '@hyperguild/io/process/service.ts'
import { startPool } from '@hyperguild/worker/pool.ts'

// A local worker that dies as soon as it calls a model, and is missed soon.
await runService(async () => {
  const environment = readEnvironment()
  return startPool({
    environment,
    config: loadConfig(environment),
    log: createLogger('deadly-worker', environment.logLevel),
    redisUrl: environment.redisUrl!,
    tier: 'local',
    leaseMs: 400,
    async chat() {
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => {})
    },
  })
})

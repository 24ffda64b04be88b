import type { GatewayDeps } from '@hyperguild/gateway/deps.ts'
import { startGateway } from '@hyperguild/gateway/gateway.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { type Keys, keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis, requireUsableRedis } from '@hyperguild/io/queue/redis.ts'
import type { Redis } from 'ioredis'
import type { Keep } from './scenario.ts'

const REDIS_TIMEOUT_MS = 10_000

export interface GatewaySide {
  /** What the gateway's own functions take. */
  deps: GatewayDeps
  /** A connection to look at Redis with, and the names of what is there. */
  redis: Redis
  keys: Keys
}

/** A second gateway, in this process, so that its own functions can be called and timed. */
export async function startGatewaySide(
  variables: Readonly<Record<string, string>>,
  keep: Keep,
): Promise<GatewaySide> {
  const environment = readEnvironment(variables)
  const redisUrl = environment.redisUrl!
  const redis = connectRedis(redisUrl, 'bench', 'fail_fast')
  keep({ close: async () => redis.disconnect() })
  await requireUsableRedis(redis, REDIS_TIMEOUT_MS)
  const config = loadConfig(environment)
  const log = createLogger('bench', 'error')
  const { deps } = keep(
    await startGateway({ environment, config, log, redisUrl, version: 'bench' }),
  )
  return { deps, redis, keys: keysFor(environment.redisPrefix) }
}

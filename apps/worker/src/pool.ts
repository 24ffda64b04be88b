import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { StepRef } from '@hyperguild/core/advance.ts'
import { callSettings } from '@hyperguild/core/backend.ts'
import type { ChatModel } from '@hyperguild/core/chat.ts'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { type Pool, poolOf } from '@hyperguild/core/model.ts'
import { modelsNamedIn } from '@hyperguild/core/models-config.ts'
import { type Environment, searchPath } from '@hyperguild/io/config/environment.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import { chatThrough } from '@hyperguild/io/models/chat-model.ts'
import { endpointsFor, findEndpoint } from '@hyperguild/io/models/endpoints.ts'
import { isWarm } from '@hyperguild/io/models/warm-state.ts'
import type { Service } from '@hyperguild/io/process/service.ts'
import { createBreakers } from '@hyperguild/io/queue/breakers.ts'
import { heedEndings } from '@hyperguild/io/queue/endings.ts'
import { createJobQueue, type Lease } from '@hyperguild/io/queue/job-queue.ts'
import { createJobStore } from '@hyperguild/io/queue/job-store.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { announceWorker } from '@hyperguild/io/queue/presence.ts'
import { connectRedis, requireUsableRedis } from '@hyperguild/io/queue/redis.ts'
import { probeSandbox } from '@hyperguild/io/work/probe-sandbox.ts'
import { findToolchain } from '@hyperguild/io/work/toolchain.ts'
import type { WorkerDeps } from './deps.ts'
import { runStep } from './run-step.ts'
import { startFileSweeper } from './sweep-files.ts'
import { watchServers } from './watch-servers.ts'

const REDIS_TIMEOUT_MS = 10_000
/** How long a worker that shuts down lets its steps finish before they go back to the queue. */
const GRACE_MS = 5_000

export interface PoolOptions {
  environment: Environment
  config: Config
  log: Logger
  redisUrl: string
  tier: Pool
  /** Only these models; all of the tier when absent. */
  models?: readonly string[]
  concurrency?: number
  /** Instead of the model servers that the environment names, for who measures everything but them. */
  chat?: ChatModel
}

/** Serves one queue per model of a tier. */
export async function startPool(options: PoolOptions): Promise<Service> {
  const { environment, config, log, tier } = options
  const models = modelsToServe(options)
  const redis = connectRedis(options.redisUrl, `worker-${tier}`, 'wait')
  redis.on('error', (error) => log.warn({ err: error }, 'redis_error'))
  await requireUsableRedis(redis, REDIS_TIMEOUT_MS)
  const keys = keysFor(environment.redisPrefix)
  const queue = createJobQueue(redis, keys)
  const toolchain = findToolchain(searchPath())
  const sandbox = await probeSandbox(environment.sandbox, toolchain)
  const onError = (error: unknown) => log.warn({ err: error }, 'background_error')
  const records = {
    store: createJobStore(redis, keys, environment.retentionSeconds * 1000),
    queue,
    breakers: createBreakers(redis, keys, Date.now),
    now: Date.now,
    unservedMs: environment.unservedMs,
    workerId: `${tier}-${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
  }
  const watch = await watchServers({ ...records, models, onError }, config, environment)
  const deps: WorkerDeps = {
    ...records,
    watch,
    chat: options.chat ?? chatThrough(endpointsFor(config.models, environment, models)),
    settingsOf: (model) => callSettings(config.models, environment, model),
    prices: { list: config.prices, models: config.models.models },
    skills: config.skills,
    roots: environment.roots,
    repoHosts: environment.repoHosts,
    dataDir: environment.dataDir,
    sandbox: { level: sandbox.level, toolchain },
    verifierTimeoutMs: environment.verifierSeconds * 1000,
    askWarm: warmthFrom(config, environment),
    log,
  }
  const fileSweeper = startFileSweeper({ store: deps.store, dataDir: deps.dataDir, onError })
  const serving = {
    connection: redis,
    concurrency: options.concurrency ?? concurrencyOf(environment, tier),
    workerId: deps.workerId,
    onStep: (step: StepRef, lease: Lease) => runStep(deps, step, lease),
    onError: (error: Error) => log.warn({ err: error }, 'queue_error'),
  }
  const consumers = [
    ...models.map((model) => queue.serve(model, serving)),
    queue.serveApplies(tier, serving),
  ]
  const endings = await heedEndings({
    subscriber: connectRedis(options.redisUrl, `worker-${tier}-endings`, 'wait'),
    keys,
    store: deps.store,
    workplaces: consumers,
    onError: (error) => log.warn({ err: error }, 'redis_error'),
  })
  const startedAtMs = Date.now()
  const presence = await announceWorker(
    redis,
    keys,
    () => ({
      id: deps.workerId,
      pool: tier,
      models,
      host: hostname(),
      pid: process.pid,
      startedAtMs,
      sandbox: sandbox.level,
      backend: { name: '', reachable: true, warm: [] },
    }),
    Date.now,
  )
  log.info({ worker: deps.workerId, models }, 'worker_ready')
  return {
    async close() {
      await presence.close().catch(() => {})
      await Promise.all(consumers.map((consumer) => consumer.close(GRACE_MS)))
      await watch.close()
      await fileSweeper.close()
      endings.close()
      await queue.close()
      redis.disconnect()
    },
  }
}

function modelsToServe({ config, tier, models }: PoolOptions): readonly string[] {
  const ofTier = modelsNamedIn(config.models).filter((model) => poolOf(model) === tier)
  if (!models) return ofTier
  const unknown = models.filter((model) => !ofTier.includes(model))
  if (unknown.length > 0) {
    throw new ConfigError(
      `--models: ${unknown.join(', ')} is not a ${tier} model of models.yaml; it names ${ofTier.join(', ')}`,
    )
  }
  return models
}

function concurrencyOf(environment: Environment, tier: Pool): number {
  return tier === 'local' ? environment.localConcurrency : environment.cloudConcurrency
}

/** Whether a model is in memory; a model that no server is known for is not. */
function warmthFrom(
  { models }: Config,
  environment: Environment,
): (model: string) => Promise<boolean> {
  return async (model) => {
    const endpoint = findEndpoint(models, environment, model)
    if (typeof endpoint === 'string') return false
    return isWarm(endpoint, { llamaSwapUrl: models.llama_swap_url })
  }
}

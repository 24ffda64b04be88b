import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startGateway } from '@hyperguild/gateway/gateway.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { parseScript } from '@hyperguild/io/simulated/script.ts'
import { type SimulatedModels, startSimulatedModels } from '@hyperguild/io/simulated/server.ts'
import { startPool } from '@hyperguild/worker/pool.ts'
import { inject, onTestFinished } from 'vitest'

export interface TestFleet {
  url: string
  /** A folder of this test alone, which the fleet allows projects under. */
  folder: string
  sessionsDir: string
  redisPrefix: string
  /** The environment of its parts, for one that runs as a process of its own. */
  variables: Readonly<Record<string, string>>
  models: SimulatedModels
  /** Starts one more pool, for tests that begin without one. */
  startPool(tier: 'local' | 'cloud'): Promise<void>
  /** Writes files into a new project folder and returns its path. */
  writeProject(files: Readonly<Record<string, string | Uint8Array>>): Promise<string>
}

export interface TestFleetOptions {
  /** The simulated models' script, as YAML. */
  script: string
  /** The text of models.yaml; the shipped file when absent. */
  chains?: string
  /** More variables for every part of the fleet. */
  environment?: Record<string, string>
  /** Which pools run; both when absent. */
  pools?: readonly ('local' | 'cloud')[]
  concurrency?: number
  /** A Redis of the test's own; the suite's when absent. */
  redisUrl?: string
}

/** A gateway, workers and simulated models in this process, on the suite's Redis; gone when the test ends. */
export async function startTestFleet(options: TestFleetOptions): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const script = parseScript(options.script, 'test script')
  const models = await startSimulatedModels({ script })
  onTestFinished(() => models.close())
  const redisUrl = options.redisUrl ?? inject('redisUrl')
  const redisPrefix = `test-${crypto.randomUUID()}`
  const modelsFile = join(folder, '.models.yaml')
  if (options.chains) await writeFile(modelsFile, options.chains)
  const variables = {
    REDIS_URL: redisUrl,
    HYPERGUILD_REDIS_PREFIX: redisPrefix,
    HYPERGUILD_ROOTS: folder,
    HYPERGUILD_DATA_DIR: join(folder, '.data'),
    HYPERGUILD_LOG_LEVEL: 'silent',
    SUPERVISOR_BRAIN_DIR: join(folder, '.brain'),
    SUPERVISOR_PORT: '0',
    HYPERGUILD_PROBE_PORT: '0',
    LITELLM_BASE_URL: models.url,
    LLAMA_SWAP_URL: models.url,
    ANTHROPIC_API_KEY: 'simulated',
    ANTHROPIC_BASE_URL: models.url,
    ...(options.chains ? { SUPERVISOR_MODELS_FILE: modelsFile } : {}),
    ...options.environment,
  }
  const environment = readEnvironment(variables)
  const common = {
    environment,
    config: loadConfig(environment),
    log: createLogger('test', environment.logLevel),
    redisUrl,
  }
  const startOne = async (tier: 'local' | 'cloud') => {
    const { concurrency } = options
    const pool = await startPool({ ...common, tier, ...(concurrency ? { concurrency } : {}) })
    onTestFinished(() => pool.close())
  }
  for (const tier of options.pools ?? (['local', 'cloud'] as const)) await startOne(tier)
  const gateway = await startGateway({ ...common, version: '0.0.0-test' })
  onTestFinished(() => gateway.close())
  return {
    url: gateway.url!,
    folder,
    sessionsDir: environment.sessionsDir,
    redisPrefix,
    variables,
    models,
    startPool: startOne,
    writeProject: (files) => writeProject(join(folder, crypto.randomUUID()), files),
  }
}

async function writeProject(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  await mkdir(root)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

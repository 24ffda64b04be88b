import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { environmentWith } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { type ChildService, startChild } from '@hyperguild/io/process/child-service.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '@hyperguild/io/queue/embedded-redis.ts'
import { readScript, type Script } from '@hyperguild/io/simulated/script.ts'
import { type SimulatedModels, startSimulatedModels } from '@hyperguild/io/simulated/server.ts'
import { type ModelSource, variablesFor } from './model-source.ts'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const GATEWAY = fromHere('../../gateway/src/main.ts')
const WORKER = fromHere('../../worker/src/main.ts')
const SCRIPT = fromHere('../../../examples/simulated-models.yaml')
const CONFORMANCE_SCRIPT = fromHere('../../../config/conformance/simulated-models.yaml')

export interface Fleet {
  url: string
  simulated: boolean
  roots: readonly string[]
  /** Resolves with a sentence when a part of the fleet ends by itself. */
  broken: Promise<string>
  close(): Promise<void>
}

export interface FleetOptions {
  environment: Environment
  models: ModelSource
  dataDir: string
  brainDir: string
  sessionsDir: string
  /** 0 takes a free one. */
  port: number
  roots: readonly string[]
  /** Of the processes; their lines go to stderr. */
  logLevel: string
  /** On which the local worker tells of itself, the cloud worker on the next one; they do not when it is absent. */
  probePort?: number
}

/** Home is where projects are; an operator who wants less or more says so. */
export function defaultRoots(environment: Environment): readonly string[] {
  return environment.roots.length > 0 ? environment.roots : [homedir(), process.cwd()]
}

/** Starts Redis (unless one is configured), the gateway and a worker for each tier, as processes of their own. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { environment } = options
  const started: { close(): Promise<void> }[] = []
  const close = async () => {
    for (const part of started.splice(0).reverse()) await part.close()
  }
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.push(part)
    return part
  }
  try {
    const redis = environment.redisUrl
      ? null
      : keep(await startEmbeddedRedis({ dataDir: join(options.dataDir, 'redis') }))
    const models =
      options.models.kind === 'simulated'
        ? keep(await startSimulatedModels({ script: await scriptFor(environment) }))
        : null
    const children = await startChildren(options, redis, models, keep)
    const gateway = children[0]!
    return {
      url: gateway.url!,
      simulated: models !== null,
      roots: options.roots,
      broken: Promise.race(children.map((child) => child.gone)),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function scriptFor({ conformance }: Environment): Promise<Script> {
  const script = await readScript(SCRIPT)
  if (!conformance) return script
  const { rules } = await readScript(CONFORMANCE_SCRIPT)
  return { ...script, rules: [...rules, ...script.rules] }
}

/** What the processes write comes through a pipe to our stderr, and is for people where that is a terminal. */
function logFormatOf({ logFormat }: Environment): string {
  if (logFormat !== 'auto') return logFormat
  return process.stderr.isTTY ? 'pretty' : 'json'
}

async function startChildren(
  options: FleetOptions,
  redis: EmbeddedRedis | null,
  models: SimulatedModels | null,
  keep: (child: ChildService) => ChildService,
): Promise<ChildService[]> {
  const common = {
    REDIS_URL: redis?.url ?? options.environment.redisUrl,
    REDIS_URL_FILE: undefined,
    HYPERGUILD_ROOTS: options.roots.join(':'),
    HYPERGUILD_DATA_DIR: options.dataDir,
    SUPERVISOR_BRAIN_DIR: options.brainDir,
    SUPERVISOR_SESSIONS_DIR: options.sessionsDir,
    SUPERVISOR_PORT: String(options.port),
    HYPERGUILD_LOG_LEVEL: options.logLevel,
    HYPERGUILD_LOG_FORMAT: logFormatOf(options.environment),
    HYPERGUILD_PROBE_PORT: '0',
    ...(models ? { LITELLM_BASE_URL: models.url, LLAMA_SWAP_URL: models.url } : {}),
    // The fixtures of the conformance suite only wait; they must not wait for each other.
    ...(options.environment.conformance ? { HYPERGUILD_LOCAL_CONCURRENCY: '64' } : {}),
    ...(options.models.kind === 'found' ? variablesFor(options.models.server) : {}),
  }
  const cloud = models ? { ANTHROPIC_API_KEY: 'simulated', ANTHROPIC_BASE_URL: models.url } : {}
  const keyless = withoutCloudKeys(loadConfig(options.environment).models)
  const probesAt = (offset: number) =>
    options.probePort === undefined
      ? {}
      : { HYPERGUILD_PROBE_PORT: String(options.probePort + offset) }
  const start = async (name: string, script: string, args: string[], own: NodeJS.ProcessEnv) =>
    keep(
      await startChild({
        name,
        script,
        args,
        environment: environmentWith({ ...common, ...own }),
      }),
    )
  return Promise.all([
    start('gateway', GATEWAY, [], keyless),
    start('local worker', WORKER, ['--tier', 'local'], { ...keyless, ...probesAt(0) }),
    start('cloud worker', WORKER, ['--tier', 'cloud'], { ...cloud, ...probesAt(1) }),
  ])
}

/** Takes the keys of Anthropic's API away from parts of the fleet that have no business with it. */
function withoutCloudKeys({ backends = {} }: ModelsConfig): Record<string, undefined> {
  const own = Object.values(backends).flatMap(({ kind, key_env }) =>
    kind === 'anthropic' && key_env !== undefined ? [key_env] : [],
  )
  return Object.fromEntries(
    ['ANTHROPIC_API_KEY', 'CLAUDE_CODE_OAUTH_TOKEN', ...own].flatMap((name) => [
      [name, undefined],
      [`${name}_FILE`, undefined],
    ]),
  )
}

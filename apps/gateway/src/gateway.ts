import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { callSettings } from '@hyperguild/core/backend.ts'
import { ConfigError, RequestError } from '@hyperguild/core/errors.ts'
import type { NoteDraft } from '@hyperguild/core/note.ts'
import { type Brain, openBrain } from '@hyperguild/io/brain/brain.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import { startRecorder } from '@hyperguild/io/log/recorder.ts'
import type { Service } from '@hyperguild/io/process/service.ts'
import { createBreakers } from '@hyperguild/io/queue/breakers.ts'
import { openInbox } from '@hyperguild/io/queue/inbox.ts'
import { createJobQueue } from '@hyperguild/io/queue/job-queue.ts'
import { createJobStore } from '@hyperguild/io/queue/job-store.ts'
import { type Keys, keysFor } from '@hyperguild/io/queue/keys.ts'
import { isServed, livingWorkers } from '@hyperguild/io/queue/presence.ts'
import { admitCall } from '@hyperguild/io/queue/quota.ts'
import { connectRedis, requireUsableRedis } from '@hyperguild/io/queue/redis.ts'
import { startSweeper } from '@hyperguild/io/queue/sweeper.ts'
import type { Redis } from 'ioredis'
import { type AppOptions, createApp } from './app.ts'
import { type Attendance, createAttendance } from './attendance.ts'
import { type AuthOptions, principalOf } from './auth.ts'
import { authFrom } from './auth-options.ts'
import type { GatewayDeps } from './deps.ts'
import { listen } from './listen.ts'
import type { McpFixtures, McpOptions } from './mcp-session.ts'
import { allTools } from './mcp-tools.ts'
import { selectionProblems } from './tool-selection.ts'

const REDIS_TIMEOUT_MS = 10_000

export interface GatewayOptions {
  environment: Environment
  config: Config
  log: Logger
  redisUrl: string
  version: string
}

/** Serves the skills over HTTP; also sweeps open jobs and writes the session log. */
export async function startGateway(
  options: GatewayOptions,
): Promise<Service & { url: string; deps: GatewayDeps }> {
  const { environment, config, log, redisUrl } = options
  const auth = authFrom(environment)
  const gatewayId = `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
  const onError = (error: unknown) => log.warn({ err: error }, 'background_error')
  const open = (name: string, patience: 'fail_fast' | 'wait') =>
    connectRedis(redisUrl, `gateway-${name}`, patience).on('error', onError)
  const redis = open('commands', 'fail_fast')
  await requireUsableRedis(redis, REDIS_TIMEOUT_MS)
  const keys = keysFor(environment.redisPrefix)
  const store = createJobStore(redis, keys, environment.retentionSeconds * 1000)
  const queue = createJobQueue(redis, keys)
  const wires = { redis, keys, gatewayId, onError }
  const inbox = openInbox({ ...wires, blocking: open('inbox', 'wait'), store })
  const deps: GatewayDeps = {
    store,
    queue,
    breakers: createBreakers(redis, keys, Date.now),
    inbox,
    skills: config.skills,
    models: config.models,
    settingsOf: (model) => callSettings(config.models, environment, model),
    sessionsDir: environment.sessionsDir,
    brain: openBrainIfFree(environment.brainDir, log),
    offersNotes: environment.brainOffer,
    jobSeconds: environment.jobSeconds,
    patience: environment.patience,
    unservedMs: environment.unservedMs,
    now: Date.now,
    livingWorkers: () => livingWorkers(redis, keys, Date.now()),
    admit: (principal) => admitCall({ redis, keys, now: Date.now }, principal, environment),
    log,
  }
  const attendance = createAttendance({ ...deps, abandonMs: environment.abandonMs, onError })
  const mcp = await mcpOptions(options, attendance)
  const app = await createApp(
    deps,
    appOptions(options, auth, mcp, () => answers(redis)),
  )
  const server = await listen(app.fetch, environment)
  const background = startBackground(deps, { ...wires, blocking: open('recorder', 'wait') })
  log.info({ url: server.url }, 'gateway_ready')
  return {
    url: server.url,
    deps,
    async close() {
      server.stopAccepting()
      attendance.close()
      await background.close()
      await deps.brain?.close()
      await inbox.close()
      server.close()
      await queue.close()
      redis.disconnect()
    },
  }
}

function appOptions(
  { environment, version }: GatewayOptions,
  auth: AuthOptions,
  mcp: McpOptions,
  isRedisUp: () => Promise<boolean>,
): AppOptions {
  const { host, publicUrl, jwtIssuer } = environment
  return {
    host,
    version,
    publicUrl,
    issuer: jwtIssuer,
    auth,
    mcp,
    isRedisUp,
  }
}

function answers(redis: Redis): Promise<boolean> {
  return redis.ping().then(
    () => true,
    () => false,
  )
}

async function mcpOptions(
  { environment, config, version }: GatewayOptions,
  attendance: Attendance,
): Promise<McpOptions> {
  const offer = { names: environment.toolsets, readOnly: environment.readOnly }
  const problems = selectionProblems(allTools(config.skills, undefined), offer)
  if (problems.length > 0) {
    throw new ConfigError(problems.map((problem) => `HYPERGUILD_TOOLSETS: ${problem}`))
  }
  return {
    version,
    holding: {
      silentMs: environment.holdMs,
      progressMs: environment.holdProgressMs,
      heartbeatMs: environment.heartbeatMs,
    },
    attendance,
    principalOf,
    retentionMs: environment.retentionSeconds * 1000,
    offer,
    ...(environment.conformance ? { fixtures: await conformance() } : {}),
  }
}

/** Loaded only when it is asked for: production has no use for it. */
async function conformance(): Promise<McpFixtures> {
  return (await import('./conformance/mcp-fixtures.ts')).conformanceFixtures()
}

/** The brain, unless another process owns it: then this gateway does everything else. */
function openBrainIfFree(dir: string, log: Logger): Brain | null {
  try {
    return openBrain({
      dir,
      now: Date.now,
      onSkipped: (note) => log.warn(note, 'note_skipped'),
    })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log.warn({ problem: error.message }, 'brain_not_owned')
    return null
  }
}

/** A note that the brain refuses is told and dropped: it would be refused for ever, and what follows it must go on. */
function refusalTo(onError: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof RequestError)) throw error
    onError(error)
  }
}

/** What no call waits for: looking after open jobs, and writing the session log. */
function startBackground(
  deps: GatewayDeps,
  wires: {
    redis: Redis
    blocking: Redis
    keys: Keys
    gatewayId: string
    onError(error: unknown): void
  },
): { close(): Promise<void> } {
  const { redis, keys, onError } = wires
  const { sessionsDir, brain } = deps
  const served = (queue: string) => isServed(redis, keys, queue, deps.now())
  const sweeper = startSweeper({ ...deps, isServed: served, onError })
  const keepNotes = async (notes: readonly NoteDraft[]) => {
    if (!brain) throw new Error('another process owns the brain')
    for (const note of notes) await brain.write(note).catch(refusalTo(onError))
  }
  const recorder = startRecorder({
    ...wires,
    sessionsDir,
    keepNotes,
    recorderId: wires.gatewayId,
  })
  return {
    async close() {
      await sweeper.close()
      await recorder.close()
    },
  }
}

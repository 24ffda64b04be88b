import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { nearestTo } from '@hyperguild/core/nearest.ts'
import * as z from 'zod'
import {
  flag,
  hosts,
  httpUrl,
  isOn,
  localKind,
  logLevel,
  names,
  path,
  port,
  redisPrefix,
  redisUrl,
  roots,
  sandbox,
  text,
  wholeNumber,
} from './environment-values.ts'
import { IN_FILES, secretsInFiles } from './secrets-in-files.ts'

type RawEnvironment = Readonly<Record<string, string | undefined>>

/** The folder that holds packages/, apps/ and config/. */
const CHECKOUT = resolve(fileURLToPath(new URL('../../../..', import.meta.url)))

/**
 * Every variable the program reads: its parser, the text that stands for it when it is absent or empty, its meaning.
 * In such a text `<NAME>` is the value of an earlier variable, and `<checkout>` the folder of this repository.
 */
const environmentSchema = z.object({
  REDIS_URL: named(redisUrl.optional(), '', 'Redis or Valkey; without it a private one is started'),
  SUPERVISOR_PORT: named(port, '3200', 'port of the gateway; 0 picks a free one'),
  SUPERVISOR_CONFIG_DIR: named(path, '<checkout>/config', 'folder of models.yaml and skills/'),
  SUPERVISOR_MODELS_FILE: named(path, '<SUPERVISOR_CONFIG_DIR>/models.yaml', 'models and chains'),
  HYPERGUILD_PRICES_FILE: named(path, '<checkout>/config/prices.yaml', 'list prices of models'),
  SUPERVISOR_BRAIN_DIR: named(path, 'brain', 'folder of the notes'),
  SUPERVISOR_SESSIONS_DIR: named(path, '<SUPERVISOR_BRAIN_DIR>/sessions', 'folder of session logs'),
  LITELLM_BASE_URL: named(httpUrl.optional(), '', 'OpenAI-compatible server of the local models'),
  LITELLM_API_KEY: named(text.optional(), '', 'its key, if it wants one'),
  LLAMA_SWAP_URL: named(
    httpUrl.optional(),
    '',
    'llama-swap, asked which models are in memory; overrides llama_swap_url of models.yaml',
  ),
  HYPERGUILD_LOCAL_KIND: named(
    localKind,
    'litellm',
    'what listens at LITELLM_BASE_URL: litellm, ollama, llama-swap, lm-studio, llama-cpp, vllm or openai',
  ),
  ANTHROPIC_API_KEY: named(text.optional(), '', 'key for the claude-* models'),
  ANTHROPIC_BASE_URL: named(httpUrl.optional(), '', "address to use instead of Anthropic's own"),
  HYPERGUILD_ROOTS: named(
    roots.prefault(''),
    '',
    'absolute directories, a colon between them; a project_root must lie under one',
  ),
  HYPERGUILD_HOST: named(text, '127.0.0.1', 'address the gateway listens on'),
  HYPERGUILD_DATA_DIR: named(path, '.hyperguild', 'folder of what the fleet itself keeps'),
  HYPERGUILD_REDIS_PREFIX: named(redisPrefix, 'hg', 'first part of every Redis key'),
  HYPERGUILD_LOG_LEVEL: named(logLevel, 'info', 'lowest level that is logged, trace to silent'),
  HYPERGUILD_UNSERVED_MS: named(
    wholeNumber(1, 86_400_000),
    '30000',
    'milliseconds a step may wait for a queue that no worker serves',
  ),
  HYPERGUILD_JOB_SECONDS: named(wholeNumber(1, 86_400), '1800', 'seconds until a job is ended'),
  HYPERGUILD_RETENTION_SECONDS: named(
    wholeNumber(60, 31_536_000),
    '86400',
    'seconds for which a finished job can be fetched',
  ),
  HYPERGUILD_HOLD_MS: named(
    wholeNumber(0, 3_600_000),
    '45000',
    'milliseconds after which a call that shows no progress is answered with a job_id to come back with',
  ),
  HYPERGUILD_HOLD_PROGRESS_MS: named(
    wholeNumber(0, 3_600_000),
    '225000',
    'the same for a call whose client asked for progress',
  ),
  HYPERGUILD_HEARTBEAT_MS: named(
    wholeNumber(10, 60_000),
    '10000',
    'milliseconds between signs of life to a waiting client',
  ),
  HYPERGUILD_ABANDON_MS: named(
    wholeNumber(0, 3_600_000),
    '60000',
    'milliseconds a job goes on after its client hung up and nobody came back for it',
  ),
  HYPERGUILD_TOOLSETS: named(
    names,
    '',
    'toolsets or tools to offer, separated by commas; all when absent',
  ),
  HYPERGUILD_READ_ONLY: named(
    isOn,
    'off',
    'on or off: whether only tools that change nothing are offered',
  ),
  HYPERGUILD_CONFORMANCE: named(
    flag,
    'off',
    '1 or off: whether the fixtures of the MCP conformance suite are offered; never in production',
  ),
  HYPERGUILD_SANDBOX: named(
    sandbox,
    'auto',
    'how test commands are confined: bubblewrap, landlock, none, or auto for the best at hand',
  ),
  HYPERGUILD_BRAIN_OFFER: named(isOn, 'on', 'on or off: whether jobs are given fitting notes'),
  HYPERGUILD_REPO_HOSTS: named(
    hosts,
    '',
    'hosts, separated by commas, from which a call may have a repository fetched',
  ),
  HYPERGUILD_VERIFIER_SECONDS: named(wholeNumber(1, 3600), '30', 'seconds a verdict may take'),
  HYPERGUILD_FIRST_TOKEN_MS: named(
    wholeNumber(1, 3_600_000),
    '60000',
    'milliseconds until a model that is in memory says its first word',
  ),
  HYPERGUILD_COLD_START_MS: named(
    wholeNumber(0, 86_400_000),
    '300000',
    'milliseconds more where the model must be loaded first',
  ),
  HYPERGUILD_STALL_MS: named(
    wholeNumber(1, 3_600_000),
    '60000',
    'milliseconds a model may fall silent in the middle of an answer',
  ),
  HYPERGUILD_WAIT_MS: named(
    wholeNumber(0, 86_400_000),
    '30000',
    'milliseconds an attempt may wait in all for a model that is busy, before the next one gets its turn',
  ),
  HYPERGUILD_BACKOFF_MS: named(
    wholeNumber(1, 3_600_000),
    '1000',
    'milliseconds of the first such wait, where the server names none',
  ),
  HYPERGUILD_BREAKER_FAILURES: named(
    wholeNumber(1, 1000),
    '3',
    'failed calls in a row after which a model server counts as down',
  ),
  HYPERGUILD_BREAKER_OPEN_MS: named(
    wholeNumber(1, 3_600_000),
    '10000',
    'milliseconds after which a server that is down is looked at again, the first time',
  ),
  HYPERGUILD_LOCAL_CONCURRENCY: named(wholeNumber(1, 1000), '1', 'steps at once per local model'),
  HYPERGUILD_CLOUD_CONCURRENCY: named(wholeNumber(1, 1000), '8', 'steps at once per cloud model'),
})

/** What the operator set, parsed. Paths are absolute. */
export type Environment = Readonly<ReturnType<typeof environmentOf>>

export interface EnvironmentVariable {
  name: string
  /** What stands for it when it is absent or empty; itself empty when nothing does. */
  default: string
  meaning: string
}

/** The configuration table of the documentation, from the schema that parses it. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = [
  ...Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const { fallback, description } = schema.meta() as { fallback: string; description: string }
    return { name, default: fallback, meaning: description }
  }),
  ...IN_FILES.map((name) => ({
    name: `${name}_FILE`,
    default: '',
    meaning: `file that holds ${name}, instead of the variable itself`,
  })),
]

/**
 * Reads the environment; this file is the only one that looks at process.env.
 * @throws {ConfigError} with every problem at once. Values are never shown: they may be keys.
 */
export function readEnvironment(env: RawEnvironment = process.env): Environment {
  const secrets = secretsInFiles(env)
  const parsed = environmentSchema.safeParse(withDefaults({ ...env, ...secrets.values }))
  const problems = [
    ...misspeltIn(env),
    ...secrets.problems,
    ...(parsed.error?.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`) ?? []),
  ]
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(environmentOf(parsed.data))
}

function environmentOf(parsed: z.infer<typeof environmentSchema>) {
  return {
    redisUrl: parsed.REDIS_URL,
    port: parsed.SUPERVISOR_PORT,
    configDir: parsed.SUPERVISOR_CONFIG_DIR,
    modelsFile: parsed.SUPERVISOR_MODELS_FILE,
    pricesFile: parsed.HYPERGUILD_PRICES_FILE,
    brainDir: parsed.SUPERVISOR_BRAIN_DIR,
    sessionsDir: parsed.SUPERVISOR_SESSIONS_DIR,
    litellmBaseUrl: parsed.LITELLM_BASE_URL,
    litellmApiKey: parsed.LITELLM_API_KEY,
    localKind: parsed.HYPERGUILD_LOCAL_KIND,
    llamaSwapUrl: parsed.LLAMA_SWAP_URL,
    anthropicApiKey: parsed.ANTHROPIC_API_KEY,
    anthropicBaseUrl: parsed.ANTHROPIC_BASE_URL,
    roots: parsed.HYPERGUILD_ROOTS,
    host: parsed.HYPERGUILD_HOST,
    dataDir: parsed.HYPERGUILD_DATA_DIR,
    redisPrefix: parsed.HYPERGUILD_REDIS_PREFIX,
    logLevel: parsed.HYPERGUILD_LOG_LEVEL,
    unservedMs: parsed.HYPERGUILD_UNSERVED_MS,
    jobSeconds: parsed.HYPERGUILD_JOB_SECONDS,
    retentionSeconds: parsed.HYPERGUILD_RETENTION_SECONDS,
    holdMs: parsed.HYPERGUILD_HOLD_MS,
    holdProgressMs: parsed.HYPERGUILD_HOLD_PROGRESS_MS,
    heartbeatMs: parsed.HYPERGUILD_HEARTBEAT_MS,
    abandonMs: parsed.HYPERGUILD_ABANDON_MS,
    toolsets: parsed.HYPERGUILD_TOOLSETS,
    readOnly: parsed.HYPERGUILD_READ_ONLY,
    conformance: parsed.HYPERGUILD_CONFORMANCE,
    sandbox: parsed.HYPERGUILD_SANDBOX,
    brainOffer: parsed.HYPERGUILD_BRAIN_OFFER,
    repoHosts: parsed.HYPERGUILD_REPO_HOSTS,
    verifierSeconds: parsed.HYPERGUILD_VERIFIER_SECONDS,
    firstTokenMs: parsed.HYPERGUILD_FIRST_TOKEN_MS,
    coldStartMs: parsed.HYPERGUILD_COLD_START_MS,
    stallMs: parsed.HYPERGUILD_STALL_MS,
    patience: { budgetMs: parsed.HYPERGUILD_WAIT_MS, backoffMs: parsed.HYPERGUILD_BACKOFF_MS },
    breakerFailures: parsed.HYPERGUILD_BREAKER_FAILURES,
    breakerOpenMs: parsed.HYPERGUILD_BREAKER_OPEN_MS,
    localConcurrency: parsed.HYPERGUILD_LOCAL_CONCURRENCY,
    cloudConcurrency: parsed.HYPERGUILD_CLOUD_CONCURRENCY,
  }
}

function withDefaults(env: RawEnvironment): Record<string, string> {
  const values: Record<string, string> = {}
  const expand = (fallback: string) =>
    fallback.replace(/<(\w+)>/g, (_, name) => (name === 'checkout' ? CHECKOUT : values[name]!))
  for (const variable of ENVIRONMENT_VARIABLES) {
    const value = env[variable.name]?.trim() || expand(variable.default)
    if (value !== '') values[variable.name] = value
  }
  return values
}

/** Kubernetes sets such names for every Service of the namespace. */
const SERVICE_LINK = /_(SERVICE_(HOST|PORT)|PORT)(_\w+)?$/

/** Names that are nearly one of ours would otherwise be ignored in silence; all others are not our business. */
function misspeltIn(env: RawEnvironment): string[] {
  const known = ENVIRONMENT_VARIABLES.map((variable) => variable.name)
  return Object.keys(env).flatMap((name) => {
    if (!/^(HYPERGUILD|SUPERVISOR)_/.test(name) || SERVICE_LINK.test(name)) return []
    const nearest = known.includes(name) ? undefined : nearestTo(name, known)
    return nearest ? [`${name}: is not a variable of hyperguild; write ${nearest}`] : []
  })
}

function named<T extends z.ZodType>(schema: T, fallback: string, description: string): T {
  return schema.meta({ fallback, description })
}

/** The directories in which programs are looked for. */
export function searchPath(env: RawEnvironment = process.env): string {
  return env.PATH ?? ''
}

/**
 * The key that a variable of the operator's own choice holds, or the file that `<NAME>_FILE` names; undefined when there
 * is none.
 * @throws {ConfigError} when the file cannot be used
 */
export function keyNamed(variable: string, env: RawEnvironment = process.env): string | undefined {
  const { values, problems } = secretsInFiles(env, [variable])
  if (problems.length > 0) throw new ConfigError(problems)
  return (values[variable] ?? env[variable])?.trim() || undefined
}

/** What a process that we start gets: all that we have, with these set, or taken away where undefined. */
export function environmentWith(overrides: RawEnvironment): NodeJS.ProcessEnv {
  return { ...process.env, ...overrides }
}

import * as z from 'zod'
import { BACKEND_KINDS, HOSTED_URLS } from './backend-kinds.ts'
import { RequestError } from './errors.ts'
import { poolOf, queueOf } from './model.ts'
import { didYouMean } from './nearest.ts'
import { VERIFY_MODES, type VerifyMode } from './skill.ts'

const modelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, 'must be a model name such as ollama/devstral-tuned')
const chain = z
  .array(modelName)
  .min(1, 'must name at least one model')
  .describe('a list of models, cheapest first')
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true })
  .refine((url) => new URL(url).username === '' && new URL(url).password === '', {
    error: 'holds credentials; put the key into a variable and name it in key_env',
  })
const count = z.number().int().positive('must be above 0')
/** What a server takes at once and in a minute, of all workers together. */
const limits = {
  parallel_calls: count.optional(),
  requests_per_minute: count.optional(),
  tokens_per_minute: count.optional(),
}

/** Who does a model's work: our own loop, which calls the API of its server, or the Claude Code program. */
export const EXECUTORS = ['api', 'claude-code'] as const
export type Executor = (typeof EXECUTORS)[number]
const executor = z.enum(EXECUTORS).optional()

const usd = z.number().nonnegative('must not be below 0').optional()

const backendSchema = z
  .strictObject({
    kind: z.enum(BACKEND_KINDS).describe(BACKEND_KINDS.join(' or ')),
    url: httpUrl.optional().describe('where the server is, such as http://gpu-box:8080'),
    /** The variable that holds the key; never the key itself. */
    key_env: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of a variable such as GPU_BOX_KEY, not the key')
      .optional(),
    /** Of all its models together. */
    ...limits,
    /** Models it holds in memory at a time. */
    memory_slots: count.optional(),
    /** Tokens of context its models are loaded with. */
    context: count.optional(),
    /** Of all its models that do not say it themselves. */
    executor,
  })
  .refine(({ kind, url }) => url !== undefined || HOSTED_URLS[kind] !== undefined, {
    path: ['url'],
    error: 'is missing',
  })
  .refine(({ kind, executor }) => executor !== 'claude-code' || kind === 'anthropic', {
    path: ['executor'],
    error: 'Claude Code speaks to servers of kind anthropic only; leave executor out',
  })

const priceSchema = z
  .strictObject({
    input_usd_per_mtok: usd,
    output_usd_per_mtok: usd,
    cache_read_usd_per_mtok: usd,
    cache_write_usd_per_mtok: usd,
    per_hour_usd: usd,
  })
  .refine((price) => Object.keys(price).length > 0, { error: 'must name at least one price' })

const modelSchema = z.strictObject({
  /** The backend that serves it, by name. */
  backend: z.string().optional(),
  /** What that server itself calls it. */
  served_name: z.string().min(1).optional(),
  /** Tokens. */
  context: count.optional(),
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
  temperature: z.number().min(0).max(2).optional(),
  reasoning: z.enum(['on', 'off']).optional(),
  /** How the model calls tools: as the protocol has it, written in its text, or not at all. */
  tools: z.enum(['native', 'text', 'none']).optional(),
  executor,
  ...limits,
  price: priceSchema.optional(),
})

/** config/models.yaml. */
export const modelsConfigSchema = z.strictObject({
  verifier: modelName.describe('the model that judges local outputs, such as claude-sonnet-4-6'),
  /** The model that would do all the work otherwise, which savings are estimated against; it need not be in a chain. */
  baseline: modelName.optional(),
  llama_swap_url: httpUrl.optional(),
  default_chain: chain,
  skills: z
    .record(
      z.string(),
      z.strictObject({ chain: chain.optional(), verify: z.enum(VERIFY_MODES).optional() }),
    )
    .default({}),
  backends: z
    .record(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a name such as gpu-box'),
      backendSchema,
    )
    .optional(),
  models: z.record(modelName, modelSchema).optional(),
})

export type ModelsConfig = z.infer<typeof modelsConfigSchema>
export type BackendConfig = z.infer<typeof backendSchema>
export type ModelSettings = z.infer<typeof modelSchema>

/** Every model the configuration names, the verifier included, each once. */
export function modelsNamedIn(config: ModelsConfig): string[] {
  return [...new Set(mentionsIn(config).map((mention) => mention.model))]
}

type Path = (string | number)[]

interface Mention {
  path: Path
  model: string
}

function mentionsIn({ default_chain, skills, verifier }: ModelsConfig): Mention[] {
  const inChain = (models: readonly string[], ...path: string[]) =>
    models.map((model, index) => ({ path: [...path, index], model }))
  return [
    ...inChain(default_chain, 'default_chain'),
    ...Object.entries(skills).flatMap(([name, skill]) =>
      inChain(skill.chain ?? [], 'skills', name, 'chain'),
    ),
    { path: ['verifier'], model: verifier },
  ]
}

/** What the parts of a configuration say against each other, and where. */
export function contradictionsIn(config: ModelsConfig): { path: Path; problem: string }[] {
  return [...queueClashesIn(config), ...danglingNamesIn(config), ...misplacedExecutorsIn(config)]
}

/** Models that would share a queue with another one of a different name, and where they are named. */
export function queueClashesIn(config: ModelsConfig): { path: Path; problem: string }[] {
  const owners = new Map<string, string>()
  return mentionsIn(config).flatMap(({ path, model }) => {
    const queue = queueOf(model)
    const owner = owners.get(queue) ?? model
    owners.set(queue, owner)
    if (owner === model) return []
    return [{ path, problem: `${model} and ${owner} would share the queue ${queue}; use one name` }]
  })
}

/** Settings of models that nothing uses, and backends that are not there: both are mostly misspelt names. */
function danglingNamesIn(config: ModelsConfig): { path: Path; problem: string }[] {
  const used = [...modelsNamedIn(config), ...(config.baseline ? [config.baseline] : [])]
  const backends = Object.keys(config.backends ?? {})
  return Object.entries(config.models ?? {}).flatMap(([model, { backend }]) => [
    ...(used.includes(model)
      ? []
      : [
          {
            path: ['models', model],
            problem: `no chain names this model and it is not the verifier${didYouMean(model, used)}`,
          },
        ]),
    ...(backend === undefined || backends.includes(backend)
      ? []
      : [
          {
            path: ['models', model, 'backend'],
            problem: `backends has no ${backend}${didYouMean(backend, backends)}`,
          },
        ]),
  ])
}

function misplacedExecutorsIn({ models = {} }: ModelsConfig): { path: Path; problem: string }[] {
  return Object.entries(models).flatMap(([model, { executor }]) =>
    executor === 'claude-code' && poolOf(model) !== 'cloud'
      ? [
          {
            path: ['models', model, 'executor'],
            problem: 'Claude Code does the work of claude-* models only; leave executor out',
          },
        ]
      : [],
  )
}

interface SkillName {
  name: string
  family: string
}

/**
 * Three layers choose the chain: the call's `model`, then the skill's chain (by tool name, then by family),
 * then `default_chain`.
 * @throws {RequestError} when the call names a model that the configuration does not know
 */
export function chainFor(
  config: ModelsConfig,
  skill: SkillName,
  pinned: string | undefined,
): readonly string[] {
  if (pinned === undefined) return settingFor(config, skill, 'chain') ?? config.default_chain
  const known = modelsNamedIn(config)
  if (known.includes(pinned)) return [pinned]
  throw new RequestError(
    'unknown_model',
    `model: "${pinned}" is not in models.yaml; use one of ${known.join(', ')}, or leave model out`,
  )
}

/** What a job is compared with: the configured baseline, else the last cloud model of its chain, else the verifier. */
export function baselineFor(config: ModelsConfig, chain: readonly string[]): string {
  return config.baseline ?? chain.findLast((model) => poolOf(model) === 'cloud') ?? config.verifier
}

/** Who must be satisfied, where models.yaml says it for a skill (by tool name, then by family). */
export function verifyModeFor(config: ModelsConfig, skill: SkillName): VerifyMode | undefined {
  return settingFor(config, skill, 'verify')
}

function settingFor<K extends 'chain' | 'verify'>(
  { skills }: ModelsConfig,
  { name, family }: SkillName,
  key: K,
) {
  return skills[name]?.[key] ?? skills[family]?.[key]
}

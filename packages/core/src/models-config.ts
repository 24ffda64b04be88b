import * as z from 'zod'
import { RequestError } from './errors.ts'
import { queueOf } from './model.ts'

const modelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, 'must be a model name such as ollama/devstral-tuned')
const chain = z
  .array(modelName)
  .min(1, 'must name at least one model')
  .describe('a list of models, cheapest first')
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })

/** config/models.yaml. */
export const modelsConfigSchema = z.strictObject({
  verifier: modelName.describe('the model that judges local outputs, such as claude-sonnet-4-6'),
  llama_swap_url: httpUrl.optional(),
  default_chain: chain,
  skills: z.record(z.string(), z.strictObject({ chain })).default({}),
})

export type ModelsConfig = z.infer<typeof modelsConfigSchema>

/** Every model the configuration names, the verifier included, each once. */
export function modelsNamedIn(config: ModelsConfig): string[] {
  return [...new Set(mentionsIn(config).map((mention) => mention.model))]
}

interface Mention {
  path: (string | number)[]
  model: string
}

function mentionsIn({ default_chain, skills, verifier }: ModelsConfig): Mention[] {
  const inChain = (models: readonly string[], ...path: string[]) =>
    models.map((model, index) => ({ path: [...path, index], model }))
  return [
    ...inChain(default_chain, 'default_chain'),
    ...Object.entries(skills).flatMap(([name, skill]) =>
      inChain(skill.chain, 'skills', name, 'chain'),
    ),
    { path: ['verifier'], model: verifier },
  ]
}

/** Models that would share a queue with another one of a different name, and where they are named. */
export function queueClashesIn(
  config: ModelsConfig,
): { path: (string | number)[]; problem: string }[] {
  const owners = new Map<string, string>()
  return mentionsIn(config).flatMap(({ path, model }) => {
    const queue = queueOf(model)
    const owner = owners.get(queue) ?? model
    owners.set(queue, owner)
    if (owner === model) return []
    return [{ path, problem: `${model} and ${owner} would share the queue ${queue}; use one name` }]
  })
}

/**
 * Three layers choose the chain: the call's `model`, then the skill's chain (by tool name, then by family),
 * then `default_chain`.
 * @throws {RequestError} when the call names a model that the configuration does not know
 */
export function chainFor(
  config: ModelsConfig,
  skill: { name: string; family: string },
  pinned: string | undefined,
): readonly string[] {
  if (pinned === undefined) {
    return (config.skills[skill.name] ?? config.skills[skill.family])?.chain ?? config.default_chain
  }
  const known = modelsNamedIn(config)
  if (known.includes(pinned)) return [pinned]
  throw new RequestError(
    'unknown_model',
    `model: "${pinned}" is not in models.yaml; use one of ${known.join(', ')}, or leave model out`,
  )
}

import * as z from 'zod'
import { RequestError } from './errors.ts'

const modelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, 'must be a model name such as ollama/devstral-tuned')
const chain = z.array(modelName).min(1, 'must name at least one model')
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })

/** config/models.yaml. */
export const modelsConfigSchema = z.strictObject({
  verifier: modelName,
  llama_swap_url: httpUrl.optional(),
  default_chain: chain,
  skills: z.record(z.string(), z.strictObject({ chain })).default({}),
})

export type ModelsConfig = z.infer<typeof modelsConfigSchema>

/** Every model the configuration names, the verifier included, each once. */
export function modelsNamedIn(config: ModelsConfig): string[] {
  const chains = Object.values(config.skills).map((skill) => skill.chain)
  return [...new Set([...config.default_chain, ...chains.flat(), config.verifier])]
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

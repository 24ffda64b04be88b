import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Validation } from '@hyperguild/core/json-schema.ts'
import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import type { PriceList } from '@hyperguild/core/price.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { Environment } from './environment.ts'
import { checkModels } from './load-models.ts'
import { checkPrices } from './load-prices.ts'
import { checkSkills, loadSkills } from './load-skills.ts'

type Places = Pick<Environment, 'configDir' | 'modelsFile' | 'pricesFile' | 'llamaSwapUrl'> &
  Partial<Pick<Environment, 'conformance'>>

/** Skills without any use but to test the protocol. */
const CONFORMANCE_SKILLS = fileURLToPath(
  new URL('../../../../config/conformance/skills', import.meta.url),
)

/** What the configuration files say. */
export interface Config {
  readonly models: Readonly<ModelsConfig>
  /** By tool name; stages are among them. */
  readonly skills: ReadonlyMap<string, Skill>
  readonly prices: Readonly<PriceList>
}

/**
 * Reads all configuration files. LLAMA_SWAP_URL overrides the file.
 * @throws {ConfigError} with every problem of every file
 */
export function loadConfig(environment: Places): Config {
  const checked = checkFiles(environment)
  const { skills, models, prices } = checked
  if (!skills.ok || !models.ok || !prices.ok) throw new ConfigError(problemsIn(checked))
  const { llamaSwapUrl } = environment
  const overrides = llamaSwapUrl === undefined ? {} : { llama_swap_url: llamaSwapUrl }
  const fixtures = environment.conformance ? loadSkills(CONFORMANCE_SKILLS) : []
  const all = new Map([...skills.value, ...fixtures])
  for (const skill of all.values()) freeze(skill)
  return Object.freeze({
    models: freeze({ ...models.value, ...overrides }),
    skills: all,
    prices: freeze(prices.value),
  })
}

/** Every problem of every configuration file, each as `file:line: key: what`. */
export function checkConfig(environment: Places): string[] {
  return problemsIn(checkFiles(environment))
}

interface CheckedFiles {
  skills: Validation<ReadonlyMap<string, Skill>>
  models: Validation<ModelsConfig>
  prices: Validation<PriceList>
}

function checkFiles({ configDir, modelsFile, pricesFile }: Places): CheckedFiles {
  const skills = checkSkills(join(configDir, 'skills'))
  const names = skills.names.length > 0 ? skills.names : undefined
  return { skills, models: checkModels(modelsFile, names), prices: checkPrices(pricesFile) }
}

function problemsIn({ skills, models, prices }: CheckedFiles): string[] {
  return [models, skills, prices].flatMap((checked) => (checked.ok ? [] : checked.problems))
}

function freeze<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part) freeze(part)
  return Object.freeze(value)
}

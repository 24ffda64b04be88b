import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Validation } from '@hyperguild/core/json-schema.ts'
import {
  contradictionsIn,
  type ModelsConfig,
  modelsConfigSchema,
} from '@hyperguild/core/models-config.ts'
import { didYouMean } from '@hyperguild/core/nearest.ts'
import { checkYaml, inFileOrder, readYaml } from './parse-yaml.ts'
import { readText, shownPath } from './read-text.ts'

/**
 * Reads models.yaml.
 * @param skillNames what may stand under `skills`: names and families; not checked when absent
 * @throws {ConfigError} with every problem, each as `file:line: key: what`
 */
export function loadModels(path: string, skillNames?: readonly string[]): ModelsConfig {
  const checked = checkModels(path, skillNames)
  if (!checked.ok) throw new ConfigError(checked.problems)
  return checked.value
}

/** As `loadModels`, with the problems as a value. */
export function checkModels(
  path: string,
  skillNames?: readonly string[],
): Validation<ModelsConfig> {
  const file = readText(path, 'name the file in SUPERVISOR_MODELS_FILE, or write it there')
  if (!file.ok) return file
  const source = readYaml(file.value, shownPath(path))
  const checked = checkYaml(modelsConfigSchema, source)
  const problems = [
    ...(checked.ok ? [] : checked.problems),
    ...(skillNames ? unknownSkillsIn(source.value, skillNames) : []).map((name) =>
      source.problemAt(
        ['skills', name],
        `no skill file and no family has this name${didYouMean(name, skillNames ?? [])}`,
      ),
    ),
    ...(checked.ok ? contradictionsIn(checked.value) : []).map(({ path: key, problem }) =>
      source.problemAt(key, problem),
    ),
  ]
  return checked.ok && problems.length === 0
    ? checked
    : { ok: false, problems: inFileOrder(problems) }
}

function unknownSkillsIn(value: unknown, skillNames: readonly string[]): string[] {
  const skills = (value as { skills?: unknown } | undefined)?.skills
  if (typeof skills !== 'object' || skills === null) return []
  return Object.keys(skills).filter((name) => !skillNames.includes(name))
}

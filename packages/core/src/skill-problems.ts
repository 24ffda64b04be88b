import * as z from 'zod'
import { didYouMean } from './nearest.ts'
import { variablesOf } from './skill.ts'

/** What can be read of a frontmatter that may be wrong elsewhere, so that all problems can be told at once. */
const outlineSchema = z.object({
  kind: z.unknown().optional(),
  family: z.string().optional().catch(undefined),
  input: z
    .object({ properties: z.record(z.string(), z.unknown()) })
    .optional()
    .catch(undefined),
  output: z.unknown().optional(),
  files: z
    .object({
      named_in: z.array(z.string()).default([]),
      mentioned_in: z.array(z.string()).default([]),
    })
    .optional()
    .catch(undefined),
  reads_through: z.string().optional().catch(undefined),
})
export type SkillOutline = z.infer<typeof outlineSchema>

export interface SkillProblem {
  /** The key of the frontmatter, or the line of the discipline counted from 1. */
  at: readonly (string | number)[] | number
  what: string
}

export function outlineOf(frontmatter: unknown): SkillOutline {
  return outlineSchema.catch({}).parse(frontmatter)
}

/** What does not fit together within one skill file. */
export function problemsWithin(
  name: string,
  outline: SkillOutline,
  discipline: string,
): SkillProblem[] {
  return [
    ...nameProblems(name, discipline),
    ...outputProblems(outline),
    ...(outline.input ? inputProblems(outline, discipline) : []),
  ]
}

/** What does not fit together between the skill files. */
export function problemsBetween(
  outlines: ReadonlyMap<string, SkillOutline>,
  name: string,
): SkillProblem[] {
  const stage = outlines.get(name)?.reads_through
  if (stage === undefined) return []
  const found = outlines.get(stage)
  // A file whose kind cannot be read has a problem of its own.
  if (found?.kind === 'stage' || (found && found.kind === undefined)) return []
  const stages = [...outlines].flatMap(([other, { kind }]) => (kind === 'stage' ? [other] : []))
  const what = `${stage} is not a skill of kind stage${didYouMean(stage, stages)}`
  return [{ at: ['reads_through'], what }]
}

function nameProblems(name: string, discipline: string): SkillProblem[] {
  const problems: SkillProblem[] = []
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) {
    problems.push({ at: [], what: 'the file name must be a tool name: a-z, 0-9 and _ only' })
  }
  const lines = discipline.split('\n')
  const first = Math.max(
    0,
    lines.findIndex((line) => line.trim() !== ''),
  )
  if (lines[first]?.trim() !== `# ${name}`) {
    problems.push({ at: first + 1, what: `the discipline must start with "# ${name}"` })
  }
  return problems
}

function outputProblems({ kind, output }: SkillOutline): SkillProblem[] {
  const needsOutput = kind === 'answer' || kind === 'edit' || kind === 'stage'
  if (needsOutput && output === undefined) {
    return [{ at: ['kind'], what: `a skill of kind ${kind} needs output, the shape of its answer` }]
  }
  if (kind === 'lookup' && output !== undefined) {
    return [{ at: ['output'], what: 'a lookup has none: no model answers it' }]
  }
  return []
}

function inputProblems({ input, files }: SkillOutline, discipline: string): SkillProblem[] {
  const inputs = Object.keys(input?.properties ?? {})
  const unknown = (name: string) => `${name} is not an input${didYouMean(name, inputs)}`
  const isUnknown = (name: string) => !inputs.includes(name)
  const inFiles = (key: 'named_in' | 'mentioned_in') =>
    (files?.[key] ?? []).flatMap((name, index) =>
      isUnknown(name) ? [{ at: ['files', key, index], what: unknown(name) }] : [],
    )
  const inDiscipline = discipline.split('\n').flatMap((line, index) =>
    variablesOf(line)
      .filter(isUnknown)
      .map((name) => ({ at: index + 1, what: `{{${name}}}: ${unknown(name)}` })),
  )
  return [...inFiles('named_in'), ...inFiles('mentioned_in'), ...inDiscipline]
}

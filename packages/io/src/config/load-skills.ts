import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ConfigError } from '@hyperguild/core/errors.ts'
import type { Validation } from '@hyperguild/core/json-schema.ts'
import {
  type Skill,
  type SkillFrontmatter,
  skillFrontmatterSchema,
} from '@hyperguild/core/skill.ts'
import {
  outlineOf,
  problemsBetween,
  problemsWithin,
  type SkillOutline,
  type SkillProblem,
} from '@hyperguild/core/skill-problems.ts'
import { withSourceInputs } from '@hyperguild/core/source-inputs.ts'
import { checkYaml, inFileOrder, readYaml } from './parse-yaml.ts'
import { readText, shownPath } from './read-text.ts'

/**
 * Reads every `*.md` of a folder as a skill, by tool name.
 * @throws {ConfigError} with every problem of every file, each as `file:line: key: what`
 */
export function loadSkills(dir: string): ReadonlyMap<string, Skill> {
  const checked = checkSkills(dir)
  if (!checked.ok) throw new ConfigError(checked.problems)
  return checked.value
}

/** As `loadSkills`, with the problems as a value, and the names and families of all files, broken or not. */
export function checkSkills(
  dir: string,
): Validation<ReadonlyMap<string, Skill>> & { names: readonly string[] } {
  const files = skillFilesIn(dir)
  if (!files.ok) return { ...files, names: [] }
  const drafts = files.value.map((file) => readDraft(join(dir, file)))
  const outlines = new Map(drafts.map(({ name, outline }) => [name, outline]))
  const names = [...outlines].flatMap(([name, { family }]) => [name, ...(family ? [family] : [])])
  const problems = drafts.flatMap((draft) => [
    ...draft.problems,
    ...problemsBetween(outlines, draft.name).map(draft.place),
  ])
  if (problems.length > 0) return { ok: false, problems: inFileOrder(problems), names }
  const skills = drafts.flatMap(({ name, skill }) => (skill ? [[name, skill] as const] : []))
  return { ok: true, value: new Map(skills), names: [...new Set(names)] }
}

function skillFilesIn(dir: string): Validation<string[]> {
  const problem = (what: string) => ({
    ok: false as const,
    problems: [`${shownPath(dir)}: ${what}; SUPERVISOR_CONFIG_DIR names the folder above it`],
  })
  try {
    const files = readdirSync(dir).filter((file) => file.endsWith('.md'))
    return files.length > 0 ? { ok: true, value: files.sort() } : problem('holds no skill files')
  } catch (error) {
    return problem(`cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** A skill file as far as it could be read. */
interface Draft {
  name: string
  skill?: Skill
  outline: SkillOutline
  problems: string[]
  /** Puts file and line before a problem. */
  place(problem: SkillProblem): string
}

const FRONTMATTER = /^---\n([\s\S]*?\n)?---(?:\n|$)/

function readDraft(path: string): Draft {
  const name = basename(path, '.md')
  const shown = shownPath(path)
  const place = ({ what }: SkillProblem) => `${shown}:1: ${what}`
  const file = readText(path, 'make it readable')
  const unread = { name, outline: outlineOf(undefined), place }
  if (!file.ok) return { ...unread, problems: file.problems }
  const head = FRONTMATTER.exec(file.value)
  if (!head) {
    const what = 'must start with frontmatter: YAML between two lines of ---'
    return { ...unread, problems: [place({ at: 1, what })] }
  }
  const discipline = file.value.slice(head[0].length)
  return draftOf({ name, shown, frontmatter: head[1] ?? '', discipline })
}

function draftOf(file: {
  name: string
  shown: string
  frontmatter: string
  discipline: string
}): Draft {
  const { name, shown, frontmatter, discipline } = file
  const source = readYaml(frontmatter, shown, 2)
  const linesAbove = frontmatter.split('\n').length + 1
  const place = ({ at, what }: SkillProblem) =>
    typeof at === 'number' ? `${shown}:${linesAbove + at}: ${what}` : source.problemAt(at, what)
  const outline = outlineOf(source.value)
  const checked = checkYaml(skillFrontmatterSchema, source)
  const problems = [
    ...(checked.ok ? [] : checked.problems),
    ...problemsWithin(name, outline, discipline).map(place),
  ]
  return {
    name,
    outline,
    problems,
    place,
    ...(checked.ok ? { skill: skillOf(name, checked.value, discipline) } : {}),
  }
}

function skillOf(name: string, frontmatter: SkillFrontmatter, discipline: string): Skill {
  const { family, phase, output, ...rest } = frontmatter
  return {
    ...rest,
    input: withSourceInputs(rest.input),
    name,
    family: family ?? name,
    phase: phase ?? name,
    output,
    discipline: discipline.trim(),
  }
}

import { fileURLToPath } from 'node:url'
import { CHECKS } from '@hyperguild/core/checks.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { ENVIRONMENT_VARIABLES } from '@hyperguild/io/config/environment.ts'
import { loadSkills } from '@hyperguild/io/config/load-skills.ts'

const SKILLS = fileURLToPath(new URL('../config/skills', import.meta.url))

/** Tables that the program itself can tell, by the name that a document calls them by. */
const TABLES: Readonly<Record<string, () => string>> = {
  skills: skillsTable,
  environment: environmentTable,
}

/**
 * A document with its tables as they should be: each stands between `<!-- table: <name> -->` and `<!-- end of table -->`.
 * @throws when a name is not that of a table
 */
export function withTables(markdown: string): string {
  return markdown.replace(
    /(<!-- table: (\S+) -->\n)[\s\S]*?(<!-- end of table -->)/g,
    (_, begin: string, name: string, end: string) => {
      const table = TABLES[name]
      if (!table) throw new Error(`there is no table called ${name}`)
      return `${begin}\n${table()}\n\n${end}`
    },
  )
}

function skillsTable(): string {
  const tools = [...loadSkills(SKILLS).values()].filter(({ kind }) => kind !== 'stage')
  const head = ['tool', 'what it is for', 'needs', 'takes', 'counts when']
  return tableOf(head, tools.map(skillRow))
}

function skillRow(skill: Skill): string[] {
  const inputs = Object.keys((skill.input.properties ?? {}) as object)
  const required = (skill.input.required ?? []) as string[]
  return [
    code(skill.name),
    skill.title,
    required.map(code).join(' '),
    inputs
      .filter((name) => !required.includes(name))
      .map(code)
      .join(' '),
    judgesOf(skill),
  ]
}

/** What must hold before a result counts, in the order in which it is asked. */
function judgesOf({ kind, checks, verify }: Skill): string {
  if (kind === 'lookup') return 'answered by the gateway itself'
  const held = checks.filter((name) => verify !== 'model' || CHECKS[name].kind === 'rule')
  const verifier = verify === 'evidence' ? [] : ['the verifier agrees']
  return [...held.map(code), ...verifier].join(', ')
}

function environmentTable(): string {
  const rows = ENVIRONMENT_VARIABLES.map(({ name, default: fallback, meaning }) => [
    code(name),
    fallback === '' ? '' : code(fallback),
    meaning,
  ])
  return tableOf(['variable', 'default', 'meaning'], rows)
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkSkills, loadSkills } from './load-skills.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hg-skills-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const good = `---
title: Explain code
description: Explains a file.
kind: answer
input:
  type: object
  required: [file]
  properties:
    file: { type: string, maxLength: 100 }
    depth: { type: integer, default: 2 }
output:
  type: object
  required: [message]
  properties:
    message: { type: string }
files:
  named_in: [file]
---
# explain

Explain {{file}}.
`

/** The problems of a folder with these files, without the folder's own name. */
function problemsOf(files: Record<string, string>): string[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const checked = checkSkills(dir)
  return checked.ok ? [] : checked.problems.map((problem) => problem.replace(`${dir}/`, ''))
}

test('adding a skill is adding a file', () => {
  writeFileSync(join(dir, 'explain.md'), good)
  writeFileSync(join(dir, 'notes.txt'), 'not a skill')
  const skill = loadSkills(dir).get('explain')
  expect(skill).toEqual({
    name: 'explain',
    family: 'explain',
    phase: 'explain',
    title: 'Explain code',
    description: 'Explains a file.',
    kind: 'answer',
    input: {
      type: 'object',
      required: ['file'],
      properties: {
        file: { type: 'string', maxLength: 100 },
        depth: { type: 'integer', default: 2 },
      },
    },
    output: { type: 'object', required: ['message'], properties: { message: { type: 'string' } } },
    files: { named_in: ['file'], mentioned_in: [] },
    material: [],
    delivers: 'answer',
    checks: [],
    verify: 'both',
    limits: {
      attempt_seconds: 600,
      output_tokens: 8192,
      file_bytes: 200_000,
      prompt_bytes: 400_000,
      loop_steps: 25,
      test_seconds: 120,
      budget_usd: 2,
    },
    read_only: false,
    discipline: '# explain\n\nExplain {{file}}.',
  })
  expect([...loadSkills(dir).keys()]).toEqual(['explain'])
})

test('family and phase of a file are taken when it has them', () => {
  writeFileSync(join(dir, 'explain.md'), good.replace('kind:', 'family: tell\nphase: why\nkind:'))
  expect(loadSkills(dir).get('explain')).toMatchObject({ family: 'tell', phase: 'why' })
})

describe('a bad file is refused with file and line:', () => {
  test.each([
    [
      'an unknown key',
      good.replace('title:', 'titel: a\ntitle:'),
      'explain.md:2: titel: unknown key; did you mean title?',
    ],
    [
      'an unknown limit',
      good.replace('files:', 'limits: { output_token: 5 }\nfiles:'),
      'explain.md:16: limits.output_token: unknown key; did you mean output_tokens?',
    ],
    [
      'a missing key',
      good.replace(/^description:.*\n/m, ''),
      'explain.md:2: description: is missing; write when to use the tool, and what comes back',
    ],
    [
      'an unknown kind',
      good.replace('kind: answer', 'kind: anser'),
      'explain.md:4: kind: must be one of answer, edit, lookup, stage; did you mean answer?',
    ],
    [
      'an unknown variable',
      good.replace('{{file}}', 'it well.\n\nIt is {{ fil }}'),
      'explain.md:23: {{fil}}: fil is not an input; did you mean file?',
    ],
    [
      'an unknown check',
      good.replace('files:', 'checks: [finding_exist]\nfiles:'),
      expect.stringMatching(
        /^explain\.md:16: checks\.0: must be one of findings_exist.*; did you mean findings_exist\?$/,
      ),
    ],
    [
      'a misspelt keyword of a JSON Schema',
      good.replace('maxLength', 'maxLenght'),
      'explain.md:9: input.properties.file.maxLenght: unknown key; did you mean maxLength?',
    ],
    [
      'a JSON Schema zod cannot express',
      good.replace('maxLength: 100', "pattern: '('"),
      'explain.md:9: input.properties.file: cannot be checked: Invalid regular expression: /(/: Unterminated group',
    ],
    [
      'an input that is no object',
      good.replace('input:\n  type: object', 'input:\n  type: array'),
      'explain.md:5: input: must have type: object and properties',
    ],
    [
      'a required property that is not there',
      good.replace('required: [file]', 'required: [files]'),
      'explain.md:7: input.required.0: files is not one of the properties; did you mean file?',
    ],
    [
      'a required property of the output that is not there',
      good.replace('required: [message]', 'required: [message, cause]'),
      'explain.md:13: output.required.1: cause is not one of the properties',
    ],
    [
      'files named in an input that is not there',
      good.replace('named_in: [file]', 'named_in: [path]\n  mentioned_in: [depht]'),
      'explain.md:17: files.named_in.0: path is not an input',
      'explain.md:18: files.mentioned_in.0: depht is not an input; did you mean depth?',
    ],
    [
      'a stage that is not there',
      good.replace('files:', 'reads_through: explain_reader\nfiles:'),
      'explain.md:16: reads_through: explain_reader is not a skill of kind stage',
    ],
    [
      'no output where a model answers',
      good.replace(/output:[\s\S]*(?=files:)/, ''),
      'explain.md:4: kind: a skill of kind answer needs output, the shape of its answer',
    ],
    [
      'an output where no model answers',
      good.replace('kind: answer', 'kind: lookup'),
      'explain.md:11: output: a lookup has none: no model answers it',
    ],
    [
      'a discipline under another name',
      good.replace('# explain', '# explains'),
      'explain.md:19: the discipline must start with "# explain"',
    ],
    [
      'no discipline',
      good.replace(/# explain[\s\S]*/, ''),
      'explain.md:19: the discipline must start with "# explain"',
    ],
    [
      'no frontmatter',
      '# explain\n',
      'explain.md:1: must start with frontmatter: YAML between two lines of ---',
    ],
    [
      'frontmatter that does not end',
      good.replace('\n---\n#', '\n#'),
      'explain.md:1: must start with frontmatter: YAML between two lines of ---',
    ],
    [
      'frontmatter that is not YAML',
      good.replace('kind: answer', 'kind: "answer'),
      expect.stringMatching(/^explain\.md:\d+: bad YAML: /),
    ],
  ])('%s', (_what, text, ...problems) => {
    expect(problemsOf({ 'explain.md': text })).toEqual(problems)
  })
})

test('a file that has no tool name is refused', () => {
  const problems = problemsOf({ 'Read-Me.md': good.replace('# explain', '# Read-Me') })
  expect(problems).toEqual(['Read-Me.md:2: the file name must be a tool name: a-z, 0-9 and _ only'])
})

test('reads_through accepts a stage, and only a stage', () => {
  const stage = good.replace('kind: answer', 'kind: stage').replace('# explain', '# reader')
  const through = good.replace('files:', 'reads_through: reader\nfiles:')
  expect(problemsOf({ 'explain.md': through, 'reader.md': stage })).toEqual([])
  expect(problemsOf({ 'reader.md': stage.replace('kind: stage', 'kind: answer') })).toEqual([
    'explain.md:16: reads_through: reader is not a skill of kind stage',
  ])
})

test('all problems of all files come at once, in order', () => {
  const problems = problemsOf({
    'b.md': good.replace('title:', 'titel:').replace('{{file}}', '{{gone}}'),
    'a.md': 'nothing',
  })
  expect(problems).toEqual([
    'a.md:1: must start with frontmatter: YAML between two lines of ---',
    'b.md:2: titel: unknown key; did you mean title?',
    'b.md:2: title: is missing; write a short name for people',
    'b.md:19: the discipline must start with "# b"',
    'b.md:21: {{gone}}: gone is not an input',
  ])
})

test('a folder that is missing or holds no skill says what to do', () => {
  const empty = join(dir, 'empty')
  mkdirSync(empty)
  expect(() => loadSkills(empty)).toThrow(
    `${empty}: holds no skill files; SUPERVISOR_CONFIG_DIR names the folder above it`,
  )
  expect(() => loadSkills(join(dir, 'gone'))).toThrow(
    `${dir}/gone: cannot be read (ENOENT); SUPERVISOR_CONFIG_DIR names the folder above it`,
  )
})

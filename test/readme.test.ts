import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkModels } from '@hyperguild/io/config/load-models.ts'
import { expect, onTestFinished, test } from 'vitest'
import { withTables } from '../scripts/readme-tables.ts'

const readme = await readFile('README.md', 'utf8')

function blocksOf(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text]) => text!,
  )
}

test('the tables of the README are those of the program; npm run docs writes them', () => {
  expect(readme).toMatch(
    /<!-- table: environment -->[\s\S]*`REDIS_URL`[\s\S]*<!-- end of table -->/,
  )
  expect(readme).toMatch(/<!-- table: skills -->[\s\S]*`tdd_red`[\s\S]*<!-- end of table -->/)
  expect(withTables(readme)).toBe(readme)
})

test('a table is written anew whatever stands in its place, and an unknown one is refused', () => {
  const stale = '<!-- table: skills -->\nold\n<!-- end of table -->'
  expect(withTables(stale)).toMatch(
    /^<!-- table: skills -->\n\n\| tool .*\n[\s\S]*\n\n<!-- end of table -->$/,
  )
  expect(() => withTables(stale.replace('skills', 'skils'))).toThrow('no table called skils')
})

test('the models.yaml of the README loads, and its JSON is JSON', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-readme-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const examples = blocksOf('yaml')
  expect(examples).toHaveLength(1)
  const file = join(folder, 'models.yaml')
  await writeFile(file, examples[0]!)
  expect(checkModels(file)).toMatchObject({ ok: true })
  for (const block of blocksOf('json')) expect(JSON.parse(block)).toBeTypeOf('object')
})

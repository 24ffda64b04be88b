import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkModels } from '@hyperguild/io/config/load-models.ts'
import { expect, onTestFinished, test } from 'vitest'

test('every example of the guide to model servers loads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-guide-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const guide = await readFile('docs/guides/backends.md', 'utf8')
  const examples = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!)
  expect(examples.length).toBeGreaterThan(7)
  for (const example of examples) {
    const models = [...example.matchAll(/^ {2}([\w-]+\/\S+|claude-\S+):$/gm)].map(
      ([, name]) => name,
    )
    const chains = `verifier: claude-x\ndefault_chain: [${['ollama/x', ...models].join(', ')}]\n`
    const file = join(folder, 'models.yaml')
    await writeFile(file, chains + example)
    expect(checkModels(file), example).toMatchObject({ ok: true })
  }
})

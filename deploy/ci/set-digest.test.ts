import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { environmentIn, makeFolder, startScript } from './sandbox.fixture.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`
const REPOSITORY = 'registry.example.org/acme/hyperguild-api'

async function setDigest(text: string, name = 'hyperguild-api', digest = DIGEST) {
  const folder = makeFolder()
  const file = join(folder, 'kustomization.yaml')
  writeFileSync(file, text)
  const args = [file, name, REPOSITORY, digest]
  const run = await startScript('set-digest.sh', args, { cwd: folder, env: environmentIn(folder) })
    .run
  expect(readdirSync(folder)).toEqual(['kustomization.yaml'])
  return { ...run, text: readFileSync(file, 'utf8') }
}

const BEFORE = `# what the cluster runs
resources:
  - ../../base
images:
  # written by the pipeline
  - name: hyperguild-api
    newTag: old
  - name: hyperguild-worker
    newName: registry.example.org/acme/hyperguild-worker
    digest: sha256:1111
patches:
  - path: hyperguild-api.yaml
`

test('an image gets its place and digest, and nothing else of the file changes', async () => {
  const { exitCode, text } = await setDigest(BEFORE)
  expect(exitCode).toBe(0)
  expect(text).toBe(
    BEFORE.replace('    newTag: old\n', `    newName: ${REPOSITORY}\n    digest: ${DIGEST}\n`),
  )
})

test.each([
  ['the last of the file', 'images:\n- name: hyperguild-api\n'],
  ['one with a digest', 'images:\n- name: hyperguild-api\n  digest: sha256:00\n  newName: old\n'],
  ['a quoted one', 'images:\n  - name: "hyperguild-api" # ours\n'],
  [
    'one before a comment and more keys',
    'images:\n  - name: hyperguild-api\n# end\nnamespace: x\n',
  ],
])('%s is found', async (_, before) => {
  const { exitCode, text } = await setDigest(before)
  expect(exitCode).toBe(0)
  expect(parse(text).images).toEqual([
    { name: 'hyperguild-api', newName: REPOSITORY, digest: DIGEST },
  ])
})

test.each([
  ['is not there', BEFORE.replace('name: hyperguild-api', 'name: other')],
  ['is there twice', `${BEFORE}images:\n  - name: hyperguild-api\n  - name: hyperguild-api\n`],
  ['stands outside of images', 'resources:\n  - name: hyperguild-api\n'],
])('an entry that %s fails loudly and leaves the file as it was', async (_, before) => {
  const { exitCode, stderr, text } = await setDigest(before)
  expect(exitCode).toBe(3)
  expect(stderr).toContain("has not exactly one entry '- name: hyperguild-api'")
  expect(text).toBe(before)
})

test('a name is not found in a longer one', async () => {
  const { exitCode } = await setDigest('images:\n  - name: hyperguild-api-canary\n')
  expect(exitCode).toBe(3)
})

test('what is no digest is refused', async () => {
  const { exitCode, text } = await setDigest(BEFORE, 'hyperguild-api', 'latest')
  expect(exitCode).toBe(2)
  expect(text).toBe(BEFORE)
})

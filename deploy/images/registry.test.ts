import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type LocalRegistry, startRegistry } from './local-registry.ts'
import { writeOciArchive } from './oci-archive.ts'
import { mustRun, runProgram } from './run-program.ts'

let folder: string
let registry: LocalRegistry

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyperguild-registry-'))
  registry = await startRegistry(join(folder, 'registry'))
})

afterAll(async () => {
  await registry?.close()
  await rm(folder, { recursive: true, force: true })
})

const script = (name: string, args: string[], environment: Record<string, string> = {}) =>
  runProgram('sh', [resolve('deploy/ci', name), ...args], { REGISTRY_TLS: 'false', ...environment })

describe('pushing', () => {
  test('keeps the index with its attestation, and prints the digest under which it was built', async () => {
    const archive = join(folder, 'index.tar')
    const digest = await writeOciArchive(archive, 'pushed')
    const pushed = await script('push-image.sh', [
      archive,
      `${registry.address}/acme/index`,
      'sha-1',
    ])
    expect(pushed).toMatchObject({ exitCode: 0, stdout: digest })
    expect(await registry.digestOf('acme/index:sha-1')).toBe(digest)
    const { manifests } = await registry.manifest(`acme/index@${digest}`)
    expect(manifests).toHaveLength(2)
  })

  test('fails when the registry cannot be reached, and prints no digest', async () => {
    const archive = join(folder, 'lost.tar')
    await writeOciArchive(archive, 'lost')
    const { exitCode, stdout } = await script('push-image.sh', [
      archive,
      '127.0.0.1:1/acme/lost',
      'sha-1',
    ])
    expect(exitCode).not.toBe(0)
    expect(stdout).toBe('')
  })
})

describe('pruning', () => {
  let clone: string
  let commits: string[]
  const git = (...args: string[]) =>
    mustRun('git', ['-C', clone, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args])

  beforeAll(async () => {
    clone = join(folder, 'clone')
    await mustRun('git', ['init', '-q', clone])
    for (let i = 0; i < 6; i += 1) await git('commit', '-q', '--allow-empty', '-m', `change ${i}`)
    commits = (await git('rev-list', '--reverse', 'HEAD')).split('\n')
  })

  const push = async (repository: string, tag: string, content: string) => {
    const archive = join(folder, 'content.tar')
    await writeOciArchive(archive, content)
    const pushed = await script('push-image.sh', [
      archive,
      `${registry.address}/${repository}`,
      tag,
    ])
    return pushed.stdout
  }
  const prune = async (repository: string, environment: Record<string, string>) => {
    const path = resolve('deploy/ci/prune-tags.sh')
    const command = 'cd "$1" && exec sh "$2" "$3"'
    const args = ['-c', command, 'sh', clone, path, `${registry.address}/${repository}`]
    return runProgram('sh', args, { REGISTRY_TLS: 'false', ...environment })
  }

  test('keeps the newest commits, foreign tags, what is deployed and what a kept tag leads to', async () => {
    const digests: string[] = []
    for (const [i, commit] of commits.entries()) {
      // The last commit changed nothing that is in the image: its build equals the one before the last but one.
      digests.push(
        await push('acme/pruned', `sha-${commit}`, i === 5 ? 'content 3' : `content ${i}`),
      )
    }
    await push('acme/pruned', 'v1', 'content 0')
    const sbom = join(folder, 'sbom.json')
    await writeFile(sbom, '{"bomFormat":"CycloneDX"}')
    for (const i of [1, 5]) {
      const attached = await script('attach-sbom.sh', [
        sbom,
        `${registry.address}/acme/pruned`,
        digests[i]!,
      ])
      expect(attached.exitCode).toBe(0)
    }
    const pruned = await prune('acme/pruned', { KEEP: '2', KEEP_DIGESTS: digests[2]! })
    expect(pruned).toMatchObject({ exitCode: 0 })
    const stay = [0, 2, 3, 4, 5].map((i) => `sha-${commits[i]}`)
    const companion = `${digests[5]!.replace(':', '-')}.sbom`
    expect((await registry.tagsOf('acme/pruned')).sort()).toEqual([...stay, 'v1', companion].sort())
    expect(await registry.digestOf(`acme/pruned:sha-${commits[5]}`)).toBe(digests[5])
  })

  test('does nothing while there are few', async () => {
    await push('acme/few', `sha-${commits[0]}`, 'few')
    expect(await prune('acme/few', {})).toMatchObject({ exitCode: 0, output: '' })
    expect(await registry.tagsOf('acme/few')).toEqual([`sha-${commits[0]}`])
  })
})

test('both images are built, published with their lists of packages, and named by digest', async () => {
  const output = join(folder, 'github-output')
  const repository = `${registry.address}/acme`
  const published = await script('publish-images.sh', [], {
    ...inject('build'),
    REGISTRY: repository,
    GITHUB_OUTPUT: output,
    COSIGN_PRIVATE_KEY: '',
  })
  expect(published, published.output).toMatchObject({ exitCode: 0 })
  expect(await readFile(output, 'utf8')).toBe(published.stdout)
  expect(published.output).toContain('stays unsigned')
  const digests = Object.fromEntries(
    published.stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')),
  )
  for (const name of ['api', 'worker']) {
    const tag = `acme/hyperguild-${name}:sha-${inject('build').REVISION}`
    expect(await registry.digestOf(tag)).toBe(digests[name])
    const list = await registry.manifest(
      `acme/hyperguild-${name}:${digests[name].replace(':', '-')}.sbom`,
    )
    expect(list).toMatchObject({ layers: [{ mediaType: 'application/vnd.cyclonedx+json' }] })
  }
}, 300_000)

test.each([
  ['api', 'hono', '@ai-sdk/anthropic'],
  ['worker', '@ai-sdk/anthropic', '@bull-board/api'],
])(
  'the list of packages of %s has %s and not %s, and nothing of development',
  async (name, has, lacks) => {
    const file = join(folder, `${name}.cdx.json`)
    expect(await script('make-sbom.sh', [name, file])).toMatchObject({ exitCode: 0 })
    const { components } = JSON.parse(await readFile(file, 'utf8')) as {
      components: { name: string }[]
    }
    const names = components.map((component) => component.name)
    expect(names).toContain(has)
    for (const absent of [lacks, 'vitest', 'typescript']) expect(names).not.toContain(absent)
  },
)

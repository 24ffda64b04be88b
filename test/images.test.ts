import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { packagesLoadedBy } from './imports.ts'

interface Manifest {
  dependencies?: Record<string, string>
}

const dependenciesOf = (folder: string) =>
  Object.entries(
    (JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Manifest).dependencies ?? {},
  )

/** The packages that `npm ci` puts into an app's image, as far as our own manifests name them. */
const installedFor = (app: string) =>
  new Set([app, 'packages/io', 'packages/core'].flatMap(dependenciesOf).map(([name]) => name))

test.each(['apps/gateway', 'apps/worker'])('%s loads only packages that its image holds', (app) => {
  const loaded = packagesLoadedBy(`${app}/src/main.ts`)
  expect([...loaded]).toContain('bullmq')
  expect([...loaded].filter((name) => !installedFor(app).has(name))).toEqual([])
})

test('the model SDKs are loaded by the worker alone', () => {
  const sdks = (app: string) =>
    [...packagesLoadedBy(`${app}/src/main.ts`)].filter((name) => name.startsWith('@ai-sdk/'))
  expect(sdks('apps/gateway')).toEqual([])
  expect(sdks('apps/worker')).not.toEqual([])
})

test('what the worker brings for packages/io has the versions that packages/io asks for', () => {
  const { peerDependencies } = JSON.parse(readFileSync('packages/io/package.json', 'utf8'))
  expect(Object.fromEntries(dependenciesOf('apps/worker'))).toMatchObject(peerDependencies)
})

test.each(['api', 'worker'])(
  'the %s image is built on the Node that this repository pins',
  (name) => {
    const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    const dockerfile = readFileSync(`Dockerfile.${name}`, 'utf8')
    expect(dockerfile).toContain(`\nARG BASE=docker.io/library/node:${devDependencies.node}-`)
    // Such a line makes BuildKit fetch its own parser from the network.
    expect(dockerfile).not.toMatch(/^# *syntax=/m)
  },
)

import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { mustRun } from './run-program.ts'

export const IMAGES = ['api', 'worker'] as const
export type ImageName = (typeof IMAGES)[number]

declare module 'vitest' {
  export interface ProvidedContext {
    /** Image ids of what was built, and the archives that hold them. */
    images: Record<ImageName, { id: string; archive: string }>
    /** How they were built: the variables of deploy/ci/build-image.sh. */
    build: ReturnType<typeof buildEnvironment>
  }
}

const BASE = 'localhost/hyperguild-base:bookworm'
/** Layers that builds share are kept for the next run, up to this. */
const CACHE_LIMIT_KB = 4_000_000

/** Builds both images as the pipeline does, with buildah on a base image of Debian packages. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = resolve(process.env.HYPERGUILD_DATA_DIR || '.hyperguild', 'images')
  const out = `${folder}/out`
  await useStorageIn(folder)
  await mustRun('sh', ['deploy/images/make-base.sh', BASE])
  const revision = await mustRun('git', ['rev-parse', 'HEAD'])
  const built = {} as Record<ImageName, { id: string; archive: string }>
  for (const name of IMAGES) {
    const environment = buildEnvironment(revision)
    await mustRun('sh', ['deploy/ci/build-image.sh', name, out], environment)
    built[name] = { id: await mustRun('cat', [`${out}/${name}.id`]), archive: `${out}/${name}.tar` }
  }
  project.provide('images', built)
  project.provide('build', buildEnvironment(revision))
  return () => rm(out, { recursive: true, force: true })
}

/** One time stamp for all commits, so that layers which did not change are found again. */
function buildEnvironment(revision: string) {
  return { BUILDER: 'buildah', BASE, REVISION: revision, SOURCE_DATE_EPOCH: '1700000000' }
}

/** Images go into a storage of their own, so that nothing else on the machine sees or loses any. */
async function useStorageIn(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const settings = `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/storage"\nrunroot = "${folder}/run"\n`
  await writeFile(`${folder}/storage.conf`, settings)
  process.env.CONTAINERS_STORAGE_CONF = `${folder}/storage.conf`
  await mustRun('buildah', ['rm', '--all'])
  if (!existsSync(`${folder}/storage`)) return
  const usedKb = Number.parseInt(await mustRun('du', ['-sk', `${folder}/storage`]), 10)
  if (usedKb > CACHE_LIMIT_KB) await mustRun('buildah', ['rmi', '--all', '--force'])
}

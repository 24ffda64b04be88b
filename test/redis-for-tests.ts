import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedRedis } from '@hyperguild/io/queue/embedded-redis.ts'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string
  }
}

/** One real Redis for the whole suite; every test keeps to a key prefix of its own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hyperguild-test-redis-'))
  const redis = await startEmbeddedRedis({ dataDir })
  project.provide('redisUrl', redis.url)
  return async () => {
    await redis.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}

import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Job } from '@hyperguild/core/job.ts'
import type { JobStore } from '@hyperguild/io/queue/job-store.ts'
import { dropJobFiles } from '@hyperguild/io/work/workspace.ts'

const SWEEP_MS = 60_000
/** A patch is applied within its job's time, so nobody asks for its journal after so long. */
const JOURNAL_MS = 86_400_000

/** Removes what finished jobs left on this machine: after each job's end, at start, and now and then. */
export function startFileSweeper(options: {
  store: JobStore
  dataDir: string
  onError(error: unknown): void
}): { close(): Promise<void> } {
  const { onError } = options
  let running = sweepFiles(options).catch(onError)
  const timer = setInterval(() => {
    running = running.then(() => sweepFiles(options)).catch(onError)
  }, SWEEP_MS)
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}

async function sweepFiles(options: { store: JobStore; dataDir: string }): Promise<void> {
  const { store, dataDir } = options
  await sweepJournal(options)
  const jobIds = await readdir(join(dataDir, 'jobs')).catch(() => [])
  for (const jobId of jobIds) {
    const [record = null] = await store.readAll([jobId])
    if (record === 'later') continue
    if (record === null || record.result !== null) {
      await dropFilesOf(dataDir, jobId, record?.job ?? null)
    }
  }
}

/** Removes the journal of patches whose jobs are not kept any more. */
async function sweepJournal({ store, dataDir }: { store: JobStore; dataDir: string }) {
  const journal = join(dataDir, 'applied')
  for (const jobId of await readdir(journal).catch(() => [])) {
    if (jobId === 'locks') continue
    const { mtimeMs } = await stat(join(journal, jobId))
    if (Date.now() - mtimeMs < JOURNAL_MS) continue
    const [record] = await store.readAll([jobId])
    if (record === null) await rm(join(journal, jobId), { recursive: true, force: true })
  }
}

/** Removes what one job left on this machine, its share of a repository's mirror included. */
export function dropFilesOf(dataDir: string, jobId: string, job: Job | null): Promise<void> {
  const repo = job?.input.repo as { url: string; ref: string } | undefined
  const source = repo ? ({ kind: 'repo', ...repo } as const) : NO_SOURCE
  return dropJobFiles({ source, dataDir, jobId })
}

const NO_SOURCE = { kind: 'bundle', files: [] } as const

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { capturePatch } from '@hyperguild/io/work/capture-patch.ts'
import { dropJobFiles, openWorkspace } from '@hyperguild/io/work/workspace.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median } from './kit/statistics.ts'

const run = promisify(execFile)
const OPEN_LIMIT_MS = 300
const FILES_IN_A_DIRECTORY = 50

/** A private copy of a project: making it, taking its change as a patch, removing it. */
export const workspace: Scenario = {
  name: 'workspace',
  title: 'A private copy of a project',
  async run(context) {
    const rounds = context.quick ? 3 : 7
    const small = await measure(context, 500, rounds, { atMost: OPEN_LIMIT_MS })
    return context.quick ? small : [...small, ...(await measure(context, 20_000, 1))]
  },
}

async function measure(
  { folder }: BenchContext,
  files: number,
  rounds: number,
  openLimit?: { atMost: number },
): Promise<Row[]> {
  const root = join(folder, `project-${files}`)
  await makeProject(root, files)
  const times = {
    open: [] as number[],
    again: [] as number[],
    patch: [] as number[],
    dispose: [] as number[],
  }
  for (let round = 0; round < rounds; round++) {
    const { signal } = new AbortController()
    const source = { kind: 'directory', root } as const
    const job = { source, dataDir: join(folder, 'data'), jobId: `bench-${files}-${round}` }
    const first = await timed(times.open, () => openWorkspace(job, signal))
    const later = await timed(times.again, () => openWorkspace(job, signal))
    await writeFile(join(later.tree, 'dir-0', 'file-0.js'), 'export const changed = true\n')
    await timed(times.patch, () => capturePatch(later, signal))
    await timed(times.dispose, () => later.dispose())
    await first.dispose()
    await dropJobFiles(job)
  }
  const row = (what: string, values: readonly number[]): Row => ({
    what: `${what}, ${files} files`,
    value: median(values),
    unit: 'ms',
  })
  return [
    { ...row('open, first attempt', times.open), ...(openLimit ? { limit: openLimit } : {}) },
    row('open, later attempt', times.again),
    row('take the patch', times.patch),
    row('dispose', times.dispose),
  ]
}

/** A committed project of small source files, fifty to a directory. */
async function makeProject(root: string, files: number): Promise<void> {
  for (let from = 0; from < files; from += FILES_IN_A_DIRECTORY) {
    const directory = join(root, `dir-${from / FILES_IN_A_DIRECTORY}`)
    await mkdir(directory, { recursive: true })
    const numbers = Array.from({ length: FILES_IN_A_DIRECTORY }, (_, index) => from + index)
    await Promise.all(
      numbers.map((n) => writeFile(join(directory, `file-${n - from}.js`), sourceText(n))),
    )
  }
  const git = (...args: string[]) => run('git', ['-C', root, ...args])
  await git('init', '-q')
  await git('add', '-A')
  await git('-c', 'user.name=bench', '-c', 'user.email=bench@example.org', 'commit', '-qm', 'base')
}

/** About 5 kB, as source files are. */
function sourceText(n: number): string {
  return Array.from(
    { length: 100 },
    (_, line) => `export const value${line} = ${n} * ${line} + 1 // a line`,
  ).join('\n')
}

async function timed<T>(times: number[], work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const result = await work()
  times.push(performance.now() - startedAt)
  return result
}

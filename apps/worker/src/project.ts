import { RequestError } from '@hyperguild/core/errors.ts'
import type { Job } from '@hyperguild/core/job.ts'
import type { Step } from '@hyperguild/core/step.ts'
import { resolveUnderRoots } from '@hyperguild/io/work/roots.ts'
import { openWorkspace, type Workspace } from '@hyperguild/io/work/workspace.ts'
import type { WorkspaceSource } from '@hyperguild/io/work/workspace-sources.ts'
import type { WorkerDeps } from './deps.ts'

/** The project a job is about, as one attempt sees it. */
export interface Project extends AsyncDisposable {
  /** Where the files a task names are read. */
  root: string
  /** The attempt's private copy, made at the first call. @throws {RequestError} when it cannot be made */
  workspace(): Promise<Workspace>
  /** The id of the state it began from, once there is a copy. */
  baseTree(): string | undefined
}

/**
 * Finds a job's project; null when the job has none.
 * @throws {RequestError} when the caller must change something
 */
export async function openProject(
  deps: Pick<WorkerDeps, 'roots' | 'dataDir' | 'repoHosts'>,
  job: Job,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<Project | null> {
  const source = await sourceOf(deps.roots, job.input)
  if (source === null) return null
  const expectedTree = steps.flatMap((s) =>
    s.kind === 'generate' && s.baseTree ? [s.baseTree] : [],
  )[0]
  const options = {
    source,
    dataDir: deps.dataDir,
    jobId: job.id,
    repoHosts: deps.repoHosts,
    ...(expectedTree ? { expectedTree } : {}),
  }
  let opening: Promise<Workspace> | undefined
  let opened: Workspace | undefined
  const workspace = () => {
    opening ??= openWorkspace(options, signal).then((made) => {
      opened = made
      return made
    })
    return opening
  }
  return {
    root: source.kind === 'directory' ? source.root : (await workspace()).tree,
    workspace,
    baseTree: () => opened?.baseTree,
    async [Symbol.asyncDispose]() {
      await opening?.then(
        (made) => made.dispose(),
        () => {},
      )
    },
  }
}

async function sourceOf(
  roots: readonly string[],
  input: Job['input'],
): Promise<WorkspaceSource | null> {
  if (isRepo(input.repo)) {
    requireWhole(input)
    return { kind: 'repo', ...input.repo }
  }
  if (Array.isArray(input.bundle)) {
    requireWhole(input)
    return { kind: 'bundle', files: input.bundle }
  }
  if (typeof input.project_root !== 'string') return null
  const resolved = await resolveUnderRoots(roots, input.project_root)
  if (!resolved.ok) throw new RequestError('invalid_argument', `project_root: ${resolved.problem}`)
  return { kind: 'directory', root: resolved.realPath }
}

function isRepo(value: unknown): value is { url: string; ref: string } {
  return typeof value === 'object' && value !== null && 'url' in value && 'ref' in value
}

function requireWhole(input: Job['input']): void {
  if (input.project_root === '.') return
  throw new RequestError(
    'invalid_argument',
    'project_root: with repo or bundle the project is all of it; write "."',
  )
}

import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Patch } from '@hyperguild/core/evidence.ts'
import { type Base, type FillIndex, freezeBase } from './base-snapshot.ts'
import { runGit } from './git.ts'
import { createGitDir, lendObjects } from './git-dir.ts'
import { findProjectGit, listDependencies } from './project-listing.ts'
import { removeTree } from './remove-tree.ts'
import { fillFromRepo, releaseMirror } from './repo-mirror.ts'
import { fillFromBundle, fillFromDirectory, type WorkspaceSource } from './workspace-sources.ts'

export interface WorkspaceOptions {
  source: WorkspaceSource
  /** The worker's own directory; outside of every project. */
  dataDir: string
  jobId: string
  /** The base's tree id, once an attempt of this job has had one: on another machine it must come out the same. */
  expectedTree?: string
  /** Hosts a `repo` source may be fetched from. */
  repoHosts?: readonly string[]
}

/** A directory of files at a known state, and the git directory that knows it; the files' user never sees the latter. */
export interface Checkout {
  tree: string
  gitDir: string
  /** Removes it; calling again does nothing. */
  dispose(): Promise<void>
}

/** A private copy of the project for one attempt. */
export interface Workspace extends Checkout {
  baseCommit: string
  /** The content's id of the base: record it in the job, and give it as `expectedTree` to later attempts. */
  baseTree: string
  /** What the project holds and the copy does not, one line each: submodules, links out of the project. */
  leftOut: readonly string[]
  /** Installed packages of the project, for the sandbox to show at the same place. */
  overlays: readonly { from: string; at: string }[]
  /** Where checkouts of this workspace are made. */
  jobDir: string
}

/**
 * Opens a private copy of the project at the job's base. The first attempt freezes the base, all later ones of the
 * job start from the same state, whatever happened to the project meanwhile.
 * @throws {RequestError} when the source cannot be had, or is no longer what the job began with
 */
export async function openWorkspace(
  options: WorkspaceOptions,
  signal: AbortSignal,
): Promise<Workspace> {
  const jobDir = jobDirectory(options.dataDir, options.jobId)
  await mkdir(jobDir, { recursive: true })
  const base = await freezeBase(join(jobDir, 'base.git'), fillerOf(options), signal)
  if (options.expectedTree !== undefined && options.expectedTree !== base.tree) {
    throw new RequestError(
      'invalid_argument',
      'the project is not what it was when the job began, and its first state is on another machine; call again',
    )
  }
  const overlays = await overlaysOf(options.source, base, signal)
  const checkout = await checkOut(jobDir, base.gitDir, async (gitDir, tree) => {
    await runGit(readTree(base.tree), { gitDir, workTree: tree }, signal)
  })
  const { commit: baseCommit, tree: baseTree, leftOut } = base
  return { ...checkout, baseCommit, baseTree, leftOut, overlays, jobDir }
}

/** A second, clean tree at base plus patch: the place for evidence, since no model has touched it. */
export async function openFreshCheckout(
  workspace: Pick<Workspace, 'jobDir' | 'baseTree'>,
  patch: Patch | null,
  signal: AbortSignal,
): Promise<Checkout> {
  const { jobDir, baseTree } = workspace
  return checkOut(jobDir, join(jobDir, 'base.git'), async (gitDir, tree) => {
    if (patch === null || patch.diff === '') {
      await runGit(readTree(baseTree), { gitDir, workTree: tree }, signal)
      return
    }
    await runGit(['read-tree', baseTree], { gitDir }, signal)
    await runGit(
      ['apply', '--cached', '--whitespace=nowarn'],
      { gitDir, input: patch.diff },
      signal,
    )
    const patched = (await runGit(['write-tree'], { gitDir }, signal)).toString().trim()
    await runGit(readTree(patched), { gitDir, workTree: tree }, signal)
  })
}

/** Removes everything a finished job left on this machine. */
export async function dropJobFiles(
  options: Pick<WorkspaceOptions, 'source' | 'dataDir' | 'jobId'>,
): Promise<void> {
  const { source, dataDir, jobId } = options
  const directory = jobDirectory(dataDir, jobId)
  // Most jobs leave nothing, and to look is a tenth of the work of removing what is not there.
  if (existsSync(directory)) await removeTree(directory)
  if (source.kind === 'repo') {
    await releaseMirror({ url: source.url, mirrorsDir: join(dataDir, 'mirrors'), jobId })
  }
}

function readTree(tree: string): string[] {
  return ['read-tree', '--reset', '-u', tree]
}

function jobDirectory(dataDir: string, jobId: string): string {
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(jobId)) throw new Error(`not a job id: ${jobId}`)
  return join(dataDir, 'jobs', jobId)
}

function fillerOf({ source, dataDir, jobId, repoHosts = [] }: WorkspaceOptions): FillIndex {
  switch (source.kind) {
    case 'directory':
      return fillFromDirectory(source.root)
    case 'bundle':
      return fillFromBundle(source.files)
    case 'repo': {
      const { url, ref } = source
      const mirrorsDir = join(dataDir, 'mirrors')
      return fillFromRepo({ url, ref, allowedHosts: repoHosts, mirrorsDir, jobId })
    }
  }
}

async function overlaysOf(source: WorkspaceSource, base: Base, signal: AbortSignal) {
  if (source.kind !== 'directory') return []
  const project = await findProjectGit(source.root, base.gitDir, signal)
  return listDependencies(project, signal)
}

async function checkOut(
  jobDir: string,
  baseGitDir: string,
  fill: (gitDir: string, tree: string) => Promise<void>,
): Promise<Checkout> {
  const home = join(jobDir, `checkout-${randomUUID()}`)
  const [gitDir, tree] = [join(home, 'git'), join(home, 'tree')]
  const dispose = () => removeTree(home)
  try {
    await mkdir(tree, { recursive: true })
    await createGitDir(gitDir)
    await lendObjects(gitDir, join(baseGitDir, 'objects'))
    await fill(gitDir, tree)
  } catch (error) {
    await dispose()
    throw error
  }
  return { gitDir, tree, dispose }
}

import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { GitError, runGit } from './git.ts'

/** Installed packages: never copied, but tests need them, so the sandbox may show them at the same place. */
const DEPENDENCIES = ['node_modules', '.venv', 'venv', 'vendor']
/** Left out even where nobody wrote a .gitignore; tracked files stay in any case. */
const NEVER_COPIED = ['node_modules/', '.venv/', '__pycache__/', '.hyperguild/']
const EXCLUDES = ['--exclude-standard', ...NEVER_COPIED.map((name) => `--exclude=${name}`)]

/** Where git looks for a project's files: the project's own repository, or an empty one of ours when it has none. */
export interface ProjectGit {
  root: string
  gitDir: string
  /** The top of the work tree; the project may be a part of it. */
  workTree: string
  /** Takes the repository's place when that cannot be read. */
  emptyGitDir: string
}

/**
 * The repository a project belongs to. Repositories are looked for from the project upwards, as git does, but what
 * their config says about the place of the work tree is not believed.
 * @param emptyGitDir used when there is none, or when the repository around it ignores the project
 */
export async function findProjectGit(
  root: string,
  emptyGitDir: string,
  signal: AbortSignal,
): Promise<ProjectGit> {
  const without = { root, gitDir: emptyGitDir, workTree: root, emptyGitDir }
  const workTree = await findTop(root)
  if (workTree === null) return without
  const found = { ...without, gitDir: join(workTree, '.git'), workTree }
  return workTree !== root && (await isIgnored(found, signal)) ? without : found
}

/** The repository's object directory, or null when it cannot lend its objects. */
export async function findObjects(
  project: ProjectGit,
  signal: AbortSignal,
): Promise<string | null> {
  if (project.gitDir === project.emptyGitDir) return null
  const args = [
    'rev-parse',
    '--show-object-format',
    '--path-format=absolute',
    '--git-path',
    'objects',
  ]
  const answer = await runGit(args, project, signal).catch(nullIfUnreadable)
  const [format, objects] = answer?.toString().split('\n') ?? []
  return format === 'sha1' && objects ? objects : null
}

/** Paths relative to the project; latin1 strings, which keep every byte of names that are not UTF-8. */
export interface ProjectFiles {
  /** Tracked, and untracked but not ignored; also some that are gone, or directories where a file was tracked. */
  paths: string[]
  /** Repositories of their own inside of the project. */
  nested: string[]
}

export async function listProjectFiles(
  project: ProjectGit,
  signal: AbortSignal,
): Promise<ProjectFiles> {
  const listed = await listWith(['--cached', '--others'], project, signal)
  const paths = listed.toString('latin1').split('\0').slice(0, -1)
  return {
    paths: paths.filter((path) => !path.endsWith('/')),
    nested: paths.filter((path) => path.endsWith('/')),
  }
}

/** The ignored directories of installed packages, real directories only: a link could lead anywhere. */
export async function listDependencies(
  project: ProjectGit,
  signal: AbortSignal,
): Promise<{ from: string; at: string }[]> {
  const { root } = project
  const listed = await listWith(['--others', '--ignored', '--directory'], project, signal)
  const directories = listed
    .toString()
    .split('\0')
    .filter((path) => path.endsWith('/') && DEPENDENCIES.includes(basename(path)))
    .map((path) => path.slice(0, -1))
  const real = await Promise.all(directories.map((path) => isRealDirectory(join(root, path))))
  return directories.filter((_, i) => real[i]).map((at) => ({ from: join(root, at), at }))
}

/** A broken repository is no reason to refuse a project: its files are there. */
async function listWith(kinds: readonly string[], project: ProjectGit, signal: AbortSignal) {
  const { root, gitDir, workTree, emptyGitDir } = project
  const args = ['ls-files', '-z', ...kinds, ...EXCLUDES]
  const listed = await runGit(args, { gitDir, workTree, cwd: root }, signal).catch(nullIfUnreadable)
  return listed ?? runGit(args, { gitDir: emptyGitDir, workTree: root }, signal)
}

function nullIfUnreadable(error: unknown): null {
  if (error instanceof GitError && error.exitCode !== null) return null
  throw error
}

async function findTop(directory: string): Promise<string | null> {
  for (let at = directory; ; at = dirname(at)) {
    if (await lstat(join(at, '.git')).catch(() => null)) return at
    if (dirname(at) === at) return null
  }
}

async function isIgnored(project: ProjectGit, signal: AbortSignal): Promise<boolean> {
  const { gitDir, workTree, root } = project
  const asked = runGit(['check-ignore', '-q', '--', root], { gitDir, workTree }, signal)
  return asked.then(() => true, nullIfUnreadable).then((answer) => answer ?? false)
}

async function isRealDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isDirectory() ?? false
}

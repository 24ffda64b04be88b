import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { runGit } from './git.ts'

/** Installed packages: never copied, but tests need them, so the sandbox may show them at the same place. */
const DEPENDENCIES = ['node_modules', '.venv', 'venv', 'vendor']
/** Left out even where nobody wrote a .gitignore; tracked files stay in any case. */
const NEVER_COPIED = ['node_modules/', '.venv/', '__pycache__/', '.hyperguild/']
const EXCLUDES = ['--exclude-standard', ...NEVER_COPIED.map((name) => `--exclude=${name}`)]

/** Where git looks for a project's files: the project's own repository, or an empty one of ours when it has none. */
export interface ProjectGit {
  gitDir: string
  /** The top of the work tree; the project may be a part of it. */
  workTree: string
  /** The repository's object directory, when it can lend its objects. */
  objects: string | null
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
  const without: ProjectGit = { gitDir: emptyGitDir, workTree: root, objects: null }
  const workTree = await findTop(root)
  if (workTree === null) return without
  const found = { gitDir: join(workTree, '.git'), workTree, cwd: root }
  if (workTree !== root && (await isIgnored(found, signal))) return without
  const args = [
    'rev-parse',
    '--show-object-format',
    '--path-format=absolute',
    '--git-path',
    'objects',
  ]
  // A broken repository is no reason to refuse a project: its files are there.
  const answer = await runGit(args, found, signal).catch(() => null)
  signal.throwIfAborted()
  if (answer === null) return without
  const [format, objects] = answer.toString().split('\n')
  return { ...found, objects: format === 'sha1' && objects ? objects : null }
}

/** Paths relative to the project; latin1 strings, which keep every byte of names that are not UTF-8. */
export interface ProjectFiles {
  /** Tracked, and untracked but not ignored; also some that are gone, or directories where a file was tracked. */
  paths: string[]
  /** Repositories of their own inside of the project. */
  nested: string[]
}

export async function listProjectFiles(
  root: string,
  { gitDir, workTree }: ProjectGit,
  signal: AbortSignal,
): Promise<ProjectFiles> {
  const args = ['ls-files', '-z', '--cached', '--others', ...EXCLUDES]
  const listed = await runGit(args, { gitDir, workTree, cwd: root }, signal)
  const paths = listed.toString('latin1').split('\0').slice(0, -1)
  return {
    paths: paths.filter((path) => !path.endsWith('/')),
    nested: paths.filter((path) => path.endsWith('/')),
  }
}

/** The ignored directories of installed packages, real directories only: a link could lead anywhere. */
export async function listDependencies(
  root: string,
  { gitDir, workTree }: ProjectGit,
  signal: AbortSignal,
): Promise<{ from: string; at: string }[]> {
  const args = ['ls-files', '-z', '--others', '--ignored', '--directory', ...EXCLUDES]
  const listed = await runGit(args, { gitDir, workTree, cwd: root }, signal)
  const directories = listed
    .toString()
    .split('\0')
    .filter((path) => path.endsWith('/') && DEPENDENCIES.includes(basename(path)))
    .map((path) => path.slice(0, -1))
  const real = await Promise.all(directories.map((path) => isRealDirectory(join(root, path))))
  return directories.filter((_, i) => real[i]).map((at) => ({ from: join(root, at), at }))
}

async function findTop(directory: string): Promise<string | null> {
  for (let at = directory; ; at = dirname(at)) {
    if (await lstat(join(at, '.git')).catch(() => null)) return at
    if (dirname(at) === at) return null
  }
}

async function isIgnored(
  { gitDir, workTree, cwd }: { gitDir: string; workTree: string; cwd: string },
  signal: AbortSignal,
): Promise<boolean> {
  const run = { gitDir, workTree, cwd: workTree }
  const asked = runGit(['check-ignore', '-q', cwd], run, signal)
  return asked.then(
    () => true,
    () => false,
  )
}

async function isRealDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isDirectory() ?? false
}

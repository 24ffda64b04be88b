import * as z from 'zod'

const packageSchema = z.object({
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})

interface Project {
  has(path: string): boolean
  hasLike(pattern: RegExp): boolean
  read(path: string): string | null
}

/** How to recognise a project's test command; the first row that answers wins. */
const ROWS: readonly ((project: Project) => string | null)[] = [
  (project) => (hasTestScript(readScripts(project.read('package.json'))) ? 'npm test' : null),
  (project) => (usesPackage(project, 'vitest') ? 'npx vitest run' : null),
  (project) => (usesPackage(project, 'jest') ? 'npx jest' : null),
  ({ has }) => (has('go.mod') ? 'go test ./...' : null),
  ({ has }) => (has('Cargo.toml') ? 'cargo test --no-fail-fast' : null),
  (project) => (usesPytest(project) ? 'python3 -m pytest' : null),
  ({ hasLike }) =>
    hasLike(/(^|\/)[^/]+[.-]test\.[cm]?[jt]s$|^test\/.*\.[cm]?js$/) ? 'node --test' : null,
]

/**
 * The command that runs a project's tests, or null when nothing tells.
 * @param files paths relative to the project root, forward slashes
 */
export function detectTestCommand(
  files: readonly string[],
  read: (path: string) => string | null,
): string | null {
  const known = new Set(files)
  const project: Project = {
    has: (path) => known.has(path),
    hasLike: (pattern) => files.some((file) => pattern.test(file)),
    read: (path) => (known.has(path) ? read(path) : null),
  }
  for (const row of ROWS) {
    const command = row(project)
    if (command !== null) return command
  }
  return null
}

/** The scripts of a package.json; empty when there is none that can be read. */
export function readScripts(packageJson: string | null): Record<string, string> {
  return readPackage(packageJson)?.scripts ?? {}
}

function hasTestScript(scripts: Record<string, string>): boolean {
  const script = scripts.test
  return script !== undefined && script.trim() !== '' && !script.includes('no test specified')
}

function usesPackage(project: Project, name: string): boolean {
  const manifest = readPackage(project.read('package.json'))
  const isListed = name in { ...manifest?.dependencies, ...manifest?.devDependencies }
  return isListed || project.hasLike(new RegExp(`^${name}\\.config\\.[cm]?[jt]s$`))
}

function usesPytest({ has, hasLike, read }: Project): boolean {
  if (has('pytest.ini') || has('conftest.py')) return true
  if (hasLike(/(^|\/)(test_[^/]*|[^/]*_test)\.py$/)) return true
  return ['pyproject.toml', 'setup.cfg', 'tox.ini'].some((path) => /pytest/.test(read(path) ?? ''))
}

function readPackage(text: string | null): z.infer<typeof packageSchema> | null {
  try {
    return packageSchema.safeParse(JSON.parse(text ?? '')).data ?? null
  } catch {
    return null
  }
}

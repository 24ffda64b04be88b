import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hyperguild-tests')

/**
 * Installs a package that is too large for a dependency, such as `@scope/name@1.2.3`: once per machine, beside other
 * caches. Resolves with the path of a file of it; null, with a line on stderr, where the package cannot be had.
 */
export async function installPackage(spec: string, file: string): Promise<string | null> {
  const folder = join(CACHE, spec.replace(/.*\//, ''))
  const installed = join(folder, 'node_modules', spec.replace(/@[^@]*$/, ''), file)
  try {
    if (!existsSync(installed)) await install(spec, folder)
  } catch (error) {
    // Another test may have been quicker.
    if (!existsSync(installed)) {
      process.stderr.write(`${spec} cannot be installed, so it is not tested: ${error}\n`)
      return null
    }
  }
  return installed
}

/** Elsewhere first, so that nobody finds half of it. */
async function install(spec: string, folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const draft = await mkdtemp(join(CACHE, 'installing-'))
  try {
    await writeFile(join(draft, 'package.json'), '{"private": true}')
    const flags = ['--no-audit', '--no-fund', '--loglevel=error', '--foreground-scripts']
    await promisify(execFile)('npm', ['install', ...flags, spec], { cwd: draft })
    await rename(draft, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

import { existsSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { Overlay } from './sandbox.ts'

/** Where the programs are that a test command may need, beyond the system's own directories. */
export interface Toolchain {
  /** Directories for PATH, in order; our own Node's first. */
  path: readonly string[]
  readOnlyPaths: readonly string[]
  /** Read-only directories that must be seen at another absolute path. */
  overlays: readonly Overlay[]
  environment: Readonly<Record<string, string>>
}

const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/nix/store']
const SYSTEM_PATH = [
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/go/bin',
]

/**
 * @param searchPath the operator's PATH; its directories outside the system's are shown to commands read-only, except
 *   those that would show a whole home directory or more.
 * @param nodePath our own Node, so that `node --test` in the sandbox is the version we know.
 */
export function findToolchain(searchPath: string, nodePath: string = process.execPath): Toolchain {
  const nodeDir = dirname(realpathSync(nodePath))
  const home = homedir()
  const extra = searchPath
    .split(':')
    .filter((dir) => isAbsolute(dir) && !isWithin(home, dir) && !isSystem(dir) && existsSync(dir))
  const known = KNOWN.filter(({ shown }) => shown(home).some(existsSync)).map((row) => ({
    readOnlyPaths: row.shown(home).filter(existsSync),
    overlays: row.overlays(home).filter(({ from }) => existsSync(from)),
    environment: row.environment(home),
  }))
  const shown = [nodeDir, prefixOf(nodeDir), ...extra, ...known.flatMap((k) => k.readOnlyPaths)]
  return {
    path: [...new Set([nodeDir, ...extra, ...SYSTEM_PATH])],
    readOnlyPaths: [...new Set(shown.filter((dir) => dir !== null && !isSystem(dir)))] as string[],
    overlays: known.flatMap((k) => k.overlays),
    environment: Object.assign({}, ...known.map((k) => k.environment)),
  }
}

/** Version managers keep npm beside Node: `<prefix>/bin/node` and `<prefix>/lib/node_modules`. */
function prefixOf(nodeDir: string): string | null {
  const prefix = dirname(nodeDir)
  return existsSync(join(prefix, 'lib', 'node_modules')) ? prefix : null
}

function isSystem(path: string): boolean {
  return SYSTEM.some((dir) => isWithin(path, dir))
}

function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir.endsWith('/') ? dir : `${dir}/`)
}

/** Tools that spread over the home directory. Of Cargo's directory only programs and sources: it may hold a token. */
const KNOWN: readonly {
  shown(home: string): string[]
  overlays(home: string): Overlay[]
  environment(home: string): Record<string, string>
}[] = [
  {
    shown: (home) => [join(home, '.cargo/bin'), join(home, '.rustup')],
    overlays: (home) => [{ from: join(home, '.cargo/registry'), at: '/tmp/.cargo/registry' }],
    environment: (home) => ({
      RUSTUP_HOME: join(home, '.rustup'),
      CARGO_HOME: '/tmp/.cargo',
      CARGO_NET_OFFLINE: 'true',
    }),
  },
  {
    shown: (home) => [join(home, '.pyenv')],
    overlays: () => [],
    environment: (home) => ({ PYENV_ROOT: join(home, '.pyenv') }),
  },
  {
    shown: (home) => [join(home, 'go/pkg/mod')],
    overlays: () => [],
    environment: (home) => ({ GOMODCACHE: join(home, 'go/pkg/mod'), GOPROXY: 'off' }),
  },
]

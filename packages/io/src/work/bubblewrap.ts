import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { overlayArguments } from './overlay-arguments.ts'
import { limitByCgroup } from './pids-cgroup.ts'
import type { Confined, ConfinedRequest } from './sandbox.ts'
import { baseEnvironment, limitedCommand } from './sandbox-command.ts'

/** Where the command sees its workspace. */
export const WORKSPACE = '/workspace'

const ETC = fileURLToPath(new URL('./sandbox-etc/', import.meta.url))
const ETC_SHARED = ['alternatives', 'ssl', 'ld.so.cache', 'localtime', 'java']
const SHARED_MEMORY_BYTES = 64 * 2 ** 20

/**
 * Starts the command with its own user, process, network, IPC and host name spaces.
 *
 * bwrap gets an all but empty environment itself: without --as-pid-1 it would stay alive as process 1 inside, and its
 * environment could be read there in /proc/1/environ, in spite of --clearenv. It would also end before the processes that the
 * command left behind, and leave a zombie to whoever is process 1 of the machine.
 * All capabilities are dropped, because root inside could otherwise remount what is read-only.
 */
export async function startInBubblewrap(request: ConfinedRequest): Promise<Confined> {
  const mountPoints = request.overlays.map(({ at }) => join(request.workDir, at))
  const created = mountPoints.filter((path) => !existsSync(path))
  const child = spawn('bwrap', [...bubblewrapArguments(request), ...limitedCommand(request)], {
    env: { PATH: request.toolchain.path.join(':') },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  const complaint = readText(child.stderr as Readable)
  const ended = whenEnded(child, complaint)
  ended.catch(() => {})
  const init = await firstProcess(child.stdio[3] as Readable)
  const removeGroup =
    init !== null && process.getuid?.() === 0 ? limitByCgroup(init, request.limits.processes) : null
  const release = child.stdio[4] as Writable
  release.on('error', () => {})
  release.end('go')
  return {
    ended: ended.finally(async () => {
      await removeGroup?.()
      for (const path of created) await rmdir(path).catch(() => {})
    }),
    output: child.stdout as Readable,
    kill: () => kill(child, init),
    procDir: () => (init === null ? null : `/proc/${init}/root/proc`),
  }
}

function bubblewrapArguments(request: ConfinedRequest): string[] {
  const { workDir, readOnlyPaths, overlays, toolchain, environment, limits } = request
  const variables = { ...baseEnvironment('/tmp'), ...toolchain.environment, ...environment }
  const path = [...toolchain.path, `${WORKSPACE}/node_modules/.bin`].join(':')
  return [
    ...[
      '--unshare-all',
      '--unshare-user',
      '--uid',
      '1000',
      '--gid',
      '1000',
      '--hostname',
      'sandbox',
    ],
    ...['--cap-drop', 'ALL', '--die-with-parent', '--as-pid-1', '--new-session', '--clearenv'],
    ...Object.entries({ PATH: path, ...variables }).flatMap(([k, v]) => ['--setenv', k, v]),
    ...systemArguments('none'),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ...['--perms', '1777', '--size', String(SHARED_MEMORY_BYTES), '--tmpfs', '/dev/shm'],
    ...['--perms', '1777', '--size', String(limits.memoryBytes), '--tmpfs', '/tmp'],
    ...toolchain.readOnlyPaths.flatMap((path) => ['--ro-bind', path, path]),
    ...toolchain.overlays.flatMap(({ from, at }) => ['--ro-bind', from, at]),
    ...readOnlyPaths.flatMap((path) => ['--ro-bind', path, path]),
    ...['--bind', workDir, WORKSPACE],
    ...overlays.flatMap(({ from, at }) => overlayArguments(from, `${WORKSPACE}/${at}`)),
    ...['--remount-ro', '/', '--chdir', WORKSPACE, '--info-fd', '3', '--block-fd', '4', '--'],
  ]
}

const ETC_OWN = ['passwd', 'group']
/** How names of hosts are found. Without a network there is only ourselves. */
const ETC_NETWORK = ['hosts', 'nsswitch.conf', 'resolv.conf']

/** The operating system, read-only, and of /etc only what programs cannot do without. */
export function systemArguments(network: 'none' | 'host'): string[] {
  const directories = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/nix/store'].filter(existsSync)
  return [
    ...directories.flatMap((dir) =>
      lstatSync(dir).isSymbolicLink()
        ? ['--symlink', readlinkSync(dir), dir]
        : ['--ro-bind', dir, dir],
    ),
    ...ETC_SHARED.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...[...ETC_OWN, ...(network === 'none' ? ['hosts', 'nsswitch.conf'] : [])].flatMap((name) => [
      ...['--ro-bind', `${ETC}${name}`, `/etc/${name}`],
    ]),
    ...(network === 'host' ? ETC_NETWORK : []).flatMap((name) => [
      ...['--ro-bind-try', `/etc/${name}`, `/etc/${name}`],
    ]),
  ]
}

/**
 * Killing the first process of a PID namespace kills all others in it, children that called setsid included; bwrap
 * waits for it, and the kernel lets it go only after the last of them. Before it is known, bwrap's own death takes it along.
 */
function kill(child: ChildProcess, init: number | null): void {
  if (child.exitCode !== null || child.signalCode !== null) return
  if (init === null) child.kill('SIGKILL')
  else {
    try {
      process.kill(init, 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }
}

/** The outer process id of the sandbox's first process; null when bwrap ended before there was one. */
export async function firstProcess(info: Readable): Promise<number | null> {
  const found = /"child-pid":\s*(\d+)/.exec(await readText(info))
  return found === null ? null : Number(found[1])
}

async function readText(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream) if (text.length < 4000) text += String(chunk)
  return text
}

async function whenEnded(child: ChildProcess, complaint: Promise<string>): Promise<number | null> {
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new ConfigError(`bubblewrap does not start: ${cause.message}`)),
    )
    child.on('close', resolve)
  })
  const text = await complaint
  if (code !== 0 && /^(bwrap|prlimit):/.test(text)) {
    throw new ConfigError(`bubblewrap cannot set up the sandbox: ${text.trim()}`)
  }
  return code
}

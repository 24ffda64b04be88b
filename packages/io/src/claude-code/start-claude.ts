import { type ChildProcess, spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { SandboxLevel } from '@hyperguild/core/evidence.ts'
import { firstProcess, systemArguments, WORKSPACE } from '../work/bubblewrap.ts'
import type { Toolchain } from '../work/toolchain.ts'

/** Where the confined program sees its private home. */
const HOME = '/home/claude'
const SHARED_MEMORY_BYTES = 64 * 2 ** 20
const TEMPORARY_BYTES = 512 * 2 ** 20

export interface Confinement {
  level: SandboxLevel
  toolchain: Toolchain
}

/** A private place for one run. */
export interface Place {
  /** The only project directory it sees. */
  workDir: string
  mayWrite: boolean
  /** A directory of this run alone; removed by the caller. */
  home: string
}

/** The paths of a place as the program sees them. */
export function seenFrom(level: SandboxLevel, place: Place): { workDir: string; home: string } {
  return level === 'bubblewrap' ? { workDir: WORKSPACE, home: HOME } : place
}

export interface StartedClaude {
  output: Readable
  errors: Readable
  /** Resolves with the exit code (null when it was killed) when all its processes are gone. */
  ended: Promise<number | null>
  /** Asks it to stop with a last report. */
  interrupt(): void
  /** SIGKILL for it and whatever it started. */
  kill(): void
}

interface Start {
  program: string
  args: readonly string[]
  environment: Readonly<Record<string, string>>
  /** Written to its stdin. */
  input: string
  place: Place
  confinement: Confinement
}

/** Starts the program in its place, with exactly this environment. */
export function startClaude(start: Start): Promise<StartedClaude> {
  return start.confinement.level === 'bubblewrap' ? startConfined(start) : startFree(start)
}

/**
 * In its own process name space, so that nothing outlives it, with the workspace and its home as the only places it sees
 * besides the system. It needs the network: the model is there. The key comes through bwrap's own environment and not
 * as --setenv, which would show it to every user of the machine. With --as-pid-1 no process of bwrap's is inside.
 */
async function startConfined(start: Start): Promise<StartedClaude> {
  const { args, environment, input } = start
  const program = realpathSync(start.program)
  const command = [...bubblewrapArguments({ ...start, program }), '--', program, ...args]
  const child = spawn('bwrap', command, {
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  const ended = whenClosed(child)
  const init = await firstProcess(child.stdio[3] as Readable)
  return parts(child, input, ended, (name) => send(init ?? child.pid, name))
}

function bubblewrapArguments({ program, place, confinement }: Start): string[] {
  const { workDir, mayWrite, home } = place
  const shown = [...confinement.toolchain.readOnlyPaths, program]
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
    ...['--unshare-cgroup-try', '--uid', '1000', '--gid', '1000', '--hostname', 'sandbox'],
    ...['--cap-drop', 'ALL', '--die-with-parent', '--as-pid-1', '--new-session'],
    ...systemArguments('host'),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ...['--perms', '1777', '--size', String(SHARED_MEMORY_BYTES), '--tmpfs', '/dev/shm'],
    ...['--perms', '1777', '--size', String(TEMPORARY_BYTES), '--tmpfs', '/tmp'],
    ...shown.flatMap((path) => ['--ro-bind', path, path]),
    ...['--bind', home, HOME],
    ...[mayWrite ? '--bind' : '--ro-bind', workDir, WORKSPACE],
    ...['--remount-ro', '/', '--chdir', WORKSPACE, '--info-fd', '3'],
  ]
}

/** In a process group of its own, and otherwise as any program of this user. */
async function startFree({
  program,
  args,
  environment,
  input,
  place,
}: Start): Promise<StartedClaude> {
  const child = spawn(program, args, {
    cwd: place.workDir,
    env: environment,
    detached: true,
    stdio: 'pipe',
  })
  return parts(child, input, whenClosed(child), (name) => {
    if (child.pid !== undefined) send(-child.pid, name)
  })
}

function parts(
  child: ChildProcess,
  input: string,
  ended: Promise<number | null>,
  signal: (name: NodeJS.Signals) => void,
): StartedClaude {
  const unlessEnded = (name: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) signal(name)
  }
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return {
    output: child.stdout as Readable,
    errors: child.stderr as Readable,
    ended,
    interrupt: () => unlessEnded('SIGINT'),
    kill: () => unlessEnded('SIGKILL'),
  }
}

function whenClosed(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', resolve)
  })
}

function send(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name)
  } catch {
    // It has just ended.
  }
}

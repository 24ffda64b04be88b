import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Confined, ConfinedRequest } from './sandbox.ts'
import { baseEnvironment, limitedCommand } from './sandbox-command.ts'

const MARK = 'HYPERGUILD_RUN'

/**
 * Starts the command with a clean environment, a home of its own and resource limits, and nothing else: it sees the
 * network, the disk and, as the same user, this process. Only for operators who said so. The limits on memory and on
 * the number of processes do not apply here.
 */
export async function startUnconfined(request: ConfinedRequest): Promise<Confined> {
  const { workDir, overlays, toolchain, environment } = request
  const home = await mkdtemp(join(tmpdir(), 'hyperguild-run-'))
  const links = overlays.map(({ from, at }) => ({ from, to: join(workDir, at) }))
  const missing = links.filter(({ to }) => !existsSync(to))
  for (const { from, to } of missing) await symlink(from, to)
  const mark = randomUUID()
  const [program, ...args] = limited(request)
  const child = spawn(program!, args, {
    cwd: workDir,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...baseEnvironment(home),
      PATH: [...toolchain.path, join(workDir, 'node_modules/.bin')].join(':'),
      ...environment,
      [MARK]: mark,
    },
  })
  const kill = () => killAll(child, mark)
  const ended = whenEnded(child, kill).finally(async () => {
    await rm(home, { recursive: true, force: true })
    for (const { to } of missing) await rm(to, { force: true })
  })
  return { ended, output: child.stdout as Readable, kill, procDir: () => null }
}

/** prlimit is part of Linux; elsewhere only time and output are limited. */
function limited(request: ConfinedRequest): string[] {
  const command = limitedCommand({ ...request, limits: { ...request.limits, processes: null } })
  return process.platform === 'linux' ? command : command.slice(command.indexOf('--') + 1)
}

async function whenEnded(child: ChildProcess, kill: () => void): Promise<number | null> {
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  kill()
  child.stdout?.destroy()
  return code
}

/** The process group, then whoever left it with setsid but still carries the mark in its environment. */
function killAll(child: ChildProcess, mark: string): void {
  if (child.pid !== undefined) sendKill(-child.pid)
  if (!existsSync('/proc/self/environ')) return
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (readEnvironment(pid).includes(`${MARK}=${mark}`)) sendKill(Number(pid))
  }
}

function readEnvironment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

function sendKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already, or not ours.
  }
}

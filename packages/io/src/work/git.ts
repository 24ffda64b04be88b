import { spawn } from 'node:child_process'

export interface GitRun {
  /** Always given, so that git never searches for a repository that somebody else planted. */
  gitDir: string
  workTree?: string
  /** Where git runs; the work tree when absent. */
  cwd?: string
  input?: string | Buffer
  /** More configuration, `key=value`. */
  config?: readonly string[]
  /** Protocols a fetch may speak; none by default. */
  protocols?: readonly string[]
  timeoutMs?: number
  maxOutputBytes?: number
}

/** git failed, was killed, or said too much. `stderr` is git's own text: for logs, not for models. */
export class GitError extends Error {
  readonly exitCode: number | null
  readonly stderr: string
  readonly tooMuchOutput: boolean

  constructor(
    message: string,
    details: { exitCode: number | null; stderr: string; tooMuchOutput?: boolean },
  ) {
    super(message)
    this.name = 'GitError'
    this.exitCode = details.exitCode
    this.stderr = details.stderr
    this.tooMuchOutput = details.tooMuchOutput ?? false
  }
}

/** Whatever a repository's own config says, none of its programs run; the last word on a key is the command line's. */
const HARDENING = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.autocrlf=false',
  'core.safecrlf=false',
  'core.fileMode=true',
  'core.ignoreCase=false',
  'core.quotePath=false',
  'core.sshCommand=ssh -oBatchMode=yes',
  'core.commitGraph=false',
  'core.untrackedCache=false',
  'core.fsync=none',
  'credential.helper=',
  'diff.ignoreSubmodules=all',
  'submodule.recurse=false',
  'protocol.ext.allow=never',
  'http.followRedirects=false',
  'transfer.fsckObjects=true',
  'gc.auto=0',
  'maintenance.auto=false',
  // The work tree may belong to another user than the worker.
  'safe.directory=*',
].flatMap((setting) => ['-c', setting])

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin',
  HOME: '/nonexistent',
  XDG_CONFIG_HOME: '/nonexistent',
  LC_ALL: 'C',
  TZ: 'UTC',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  // Fixed, so that the same content gives the same commit on every machine.
  GIT_AUTHOR_NAME: 'hyperguild',
  GIT_AUTHOR_EMAIL: 'hyperguild@localhost',
  GIT_AUTHOR_DATE: '@0 +0000',
  GIT_COMMITTER_NAME: 'hyperguild',
  GIT_COMMITTER_EMAIL: 'hyperguild@localhost',
  GIT_COMMITTER_DATE: '@0 +0000',
}

const TIMEOUT_MS = 120_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024
const STDERR_BYTES = 4000

/**
 * Runs git with nothing of the machine's or the repository's own configuration that could run a program.
 * @returns standard output as bytes, since neither paths nor diffs need be UTF-8
 * @throws {GitError} on any exit code but 0, on time-out, on too much output; the caller's abort is rethrown as is
 */
export function runGit(
  args: readonly string[],
  run: GitRun,
  signal?: AbortSignal,
): Promise<Buffer> {
  signal?.throwIfAborted()
  const more = (run.config ?? []).flatMap((setting) => ['-c', setting])
  const child = spawn('git', [...HARDENING, ...more, ...args], {
    cwd: run.cwd ?? run.workTree ?? run.gitDir,
    // Its own group, so that the programs git starts (a transport) die with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...ENVIRONMENT,
      GIT_DIR: run.gitDir,
      GIT_ALLOW_PROTOCOL: run.protocols?.join(':') ?? 'none',
      ...(run.workTree === undefined ? {} : { GIT_WORK_TREE: run.workTree }),
    },
  })
  child.stdin.on('error', () => {}) // git may exit without reading its input
  child.stdin.end(run.input ?? '')
  return collect(child, `git ${args[0]}`, run, signal)
}

function collect(
  child: ReturnType<typeof spawn>,
  name: string,
  { timeoutMs = TIMEOUT_MS, maxOutputBytes = MAX_OUTPUT_BYTES }: GitRun,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const output: Buffer[] = []
  let outputBytes = 0
  let stderr = ''
  let killedBecause: string | null = null
  const kill = (because: string) => {
    killedBecause ??= because
    killGroup(child.pid)
  }
  const onAbort = () => kill('it was cancelled')
  const timer = setTimeout(() => kill(`it took more than ${timeoutMs} ms`), timeoutMs)
  signal?.addEventListener('abort', onAbort)
  child.stdout?.on('data', (chunk: Buffer) => {
    outputBytes += chunk.length
    if (outputBytes > maxOutputBytes) kill(`it printed more than ${maxOutputBytes} bytes`)
    else output.push(chunk)
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_BYTES) stderr += chunk.toString().slice(0, STDERR_BYTES)
  })
  child.on('error', reject)
  child.on('close', (exitCode) => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    if (signal?.aborted) return reject(signal.reason)
    if (exitCode === 0 && killedBecause === null) return resolve(Buffer.concat(output))
    const tooMuchOutput = outputBytes > maxOutputBytes
    const why = killedBecause ?? `exit code ${exitCode}: ${stderr.trim()}`
    reject(new GitError(`${name} failed: ${why}`, { exitCode, stderr, tooMuchOutput }))
  })
  return promise.finally(() => clearTimeout(timer))
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

/** What every command gets: no key, no session, nothing of ours. */
export function baseEnvironment(home: string): Record<string, string> {
  return {
    HOME: home,
    TMPDIR: home,
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
    CI: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    npm_config_update_notifier: 'false',
  }
}

/**
 * The command under resource limits. No limit on address space: WebAssembly and Go reserve far more than they use.
 * The first shell merges stderr into stdout, which keeps the outer stderr for complaints of the sandbox, and stays:
 * in a PID namespace it is process 1, whose end takes everything along that the command left running.
 */
export function limitedCommand(request: {
  command: string
  limits: { cpuSeconds: number; fileBytes: number; processes: number | null }
}): string[] {
  const { command, limits } = request
  return [
    'prlimit',
    '--core=0',
    `--cpu=${limits.cpuSeconds}`,
    `--fsize=${limits.fileBytes}`,
    ...(limits.processes === null ? [] : [`--nproc=${limits.processes}`]),
    '--',
    ...['sh', '-c', 'exec 2>&1; sh -c "$0"; exit $?', command],
  ]
}

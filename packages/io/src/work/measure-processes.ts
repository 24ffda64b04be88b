import { readdirSync, readFileSync } from 'node:fs'

/**
 * Which limit the processes listed in this /proc exceed together, if any. Memory is what they hold privately or in
 * shared memory (RssAnon + RssShmem); pages of mapped files and memfd pages that nobody has mapped are not seen.
 */
export function measureProcesses(
  procDir: string,
  limits: { processes: number; memoryBytes: number },
): 'processes' | 'memory' | null {
  const pids = listProcesses(procDir)
  if (pids.length > limits.processes) return 'processes'
  const bytes = pids.reduce((sum, pid) => sum + residentBytes(`${procDir}/${pid}/status`), 0)
  return bytes > limits.memoryBytes ? 'memory' : null
}

/** Empty when the processes are gone already. */
function listProcesses(procDir: string): string[] {
  try {
    return readdirSync(procDir).filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function residentBytes(statusFile: string): number {
  try {
    const status = readFileSync(statusFile, 'utf8')
    const kilobytes = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+)/gm)].map((m) => Number(m[1]))
    return kilobytes.reduce((sum, kb) => sum + kb, 0) * 1024
  } catch {
    return 0
  }
}

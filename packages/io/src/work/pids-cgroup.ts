import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The pids controller's own tree (cgroup v1), else the unified one (v2). */
const ROOTS = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']

/**
 * Puts a process, and with it all its descendants to come, under a kernel limit of processes and threads.
 * Needed only for root: RLIMIT_NPROC, which every other user is held to, does not bind root.
 * Returns how to remove the group once they are gone, or null where this machine does not let us.
 */
export function limitByCgroup(pid: number, processes: number): (() => Promise<void>) | null {
  const root = ROOTS.find((dir) => existsSync(join(dir, 'cgroup.procs')))
  if (root === undefined) return null
  const group = join(root, `hyperguild-${pid}`)
  const limited = attempt(() => {
    mkdirSync(group)
    writeFileSync(join(group, 'pids.max'), String(processes))
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
  })
  if (limited) return () => removeGroup(group)
  attempt(() => rmdirSync(group))
  return null
}

/** The kernel lets go of a group a moment after its last process has been waited for. */
async function removeGroup(group: string): Promise<void> {
  for (let tries = 0; tries < 100 && !attempt(() => rmdirSync(group)); tries += 1) await sleep(2)
}

function attempt(action: () => void): boolean {
  try {
    action()
    return true
  } catch {
    return false
  }
}

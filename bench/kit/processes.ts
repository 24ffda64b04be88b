import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Memory {
  rssMb: number
  /** Pages shared with other processes counted by share; null where the system does not tell. */
  pssMb: number | null
}

/** What a process holds in memory now. */
export function memoryOf(pid: number): Memory {
  const rollup = readOrNull(`/proc/${pid}/smaps_rollup`)
  if (rollup !== null) {
    return { rssMb: megabytesIn(rollup, 'Rss')!, pssMb: megabytesIn(rollup, 'Pss') }
  }
  const rssKb = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }))
  return { rssMb: rssKb / 1024, pssMb: null }
}

/** Processor time a process has used since it began, in steps of 10 ms; null where the system does not tell. */
export function cpuMsOf(pid: number): number | null {
  const stat = readOrNull(`/proc/${pid}/stat`)
  if (stat === null) return null
  // After the name in parentheses; the 14th and 15th fields of the whole line, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function megabytesIn(rollup: string, name: string): number | null {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]
  return kilobytes === undefined ? null : Number(kilobytes) / 1024
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

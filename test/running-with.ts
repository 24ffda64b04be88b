import { readdirSync, readFileSync } from 'node:fs'

/** Processes of this machine whose command line holds a text. */
export function runningWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
    } catch {
      return false
    }
  })
}

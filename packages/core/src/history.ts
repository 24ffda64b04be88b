import type { SessionEntry } from './result.ts'

const ENTRIES = 20

/**
 * What a session did so far, oldest first, one line each; entries of the phase now at work are left out, so that a
 * model is not led by earlier tries at the same thing.
 */
export function historyText(entries: readonly SessionEntry[], currentPhase: string): string {
  return entries
    .filter((entry) => entry.phase !== currentPhase)
    .slice(-ENTRIES)
    .map(lineOf)
    .join('\n')
}

function lineOf(entry: SessionEntry): string {
  const file = entry.file_path === '' ? '' : ` ${entry.file_path}`
  return `${entry.timestamp} ${entry.skill}/${entry.phase} ${entry.final_status}${file}: ${entry.message}`
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'

const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** The file of a session. @throws {RequestError} when the id could leave the folder */
export function sessionFile(sessionsDir: string, sessionId: string): string {
  if (!SESSION_ID.test(sessionId)) {
    throw new RequestError(
      'invalid_argument',
      'session_id: use 1 to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit',
    )
  }
  return join(sessionsDir, `${sessionId}.jsonl`)
}

/** The entries a session's file holds, oldest first; none when there is no such file. Torn lines are passed over. */
export async function readSessionFile(
  sessionsDir: string,
  sessionId: string,
): Promise<SessionEntry[]> {
  const text = await readFile(sessionFile(sessionsDir, sessionId), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    },
  )
  return text.split('\n').flatMap(entryFrom)
}

/** What the file and the recent entries in Redis hold together: the file may lag, Redis may have forgotten. */
export function mergeEntries(
  written: readonly SessionEntry[],
  recent: readonly SessionEntry[],
): SessionEntry[] {
  const known = new Set(written.map((entry) => entry.job_id))
  return [...written, ...recent.filter((entry) => !known.has(entry.job_id))]
}

function entryFrom(line: string): SessionEntry[] {
  if (line === '') return []
  try {
    return [JSON.parse(line) as SessionEntry]
  } catch {
    return []
  }
}

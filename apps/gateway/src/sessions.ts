import { LOCAL, maySee, type Principal } from '@hyperguild/core/principal.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import { mergeEntries, readSessionFile } from '@hyperguild/io/log/session-log.ts'
import type { GatewayDeps } from './deps.ts'

type Logs = Pick<GatewayDeps, 'store' | 'sessionsDir'>

/** The entries of a session that this principal may see, oldest first. @throws {RequestError} for an impossible id */
export async function entriesFor(
  deps: Logs,
  principal: Principal,
  sessionId: string,
): Promise<SessionEntry[]> {
  const entries = await sessionEntries(deps, sessionId)
  return entries.filter((entry) => maySee(principal, ownerOf(entry)))
}

/** The principal's own entries of a session: what their next job may build on. */
export async function ownEntries(
  deps: Logs,
  principal: string,
  sessionId: string,
): Promise<SessionEntry[]> {
  const entries = await sessionEntries(deps, sessionId)
  return entries.filter((entry) => ownerOf(entry) === principal)
}

/** Everything the session's log holds, the file and what has not reached it yet. */
async function sessionEntries(
  { store, sessionsDir }: Logs,
  sessionId: string,
): Promise<SessionEntry[]> {
  const [written, recent] = await Promise.all([
    readSessionFile(sessionsDir, sessionId),
    store.recentEntries(sessionId),
  ])
  return mergeEntries(written, recent)
}

/** Lines of before there were principals belong to whoever uses the gateway without a token. */
function ownerOf(entry: SessionEntry): string {
  return entry.principal ?? LOCAL.name
}

import { RequestError } from '@hyperguild/core/errors.ts'
import { statusOf } from '@hyperguild/core/job-status.ts'
import { busyOnTrouble } from '@hyperguild/io/queue/redis-trouble.ts'
import {
  type McpServer,
  ResourceNotFoundError,
  ResourceTemplate,
} from '@modelcontextprotocol/server'
import { jobLog } from './job-log.ts'
import { jobUri } from './job-uri.ts'
import { busy } from './mcp-answers.ts'
import type { McpSession } from './mcp-session.ts'
import { list, readJob, readSession } from './operations.ts'

const JOBS_LISTED = 20
const JSON_TYPE = 'application/json'

interface Shown {
  mimeType: string
  text: string
}

/** Jobs and sessions as things to read: `hyperguild://jobs/{id}`, its `/log` and `/patch`, `hyperguild://sessions/{id}`. */
export function serveResources(server: McpServer, session: McpSession): void {
  const { deps, principal } = session
  const latest = () =>
    list(deps, principal, { limit: JOBS_LISTED }).catch((thrown: unknown) => {
      const error = busyOnTrouble(thrown)
      throw error instanceof RequestError ? busy(error) : error
    })
  const jobIds = async (begin: string) =>
    (await latest()).map((job) => job.job_id).filter((id) => id.startsWith(begin))
  const listed = async () => ({
    resources: (await latest()).map((job) => ({
      uri: jobUri(job.job_id),
      name: `${job.tool} of ${job.submitted_at}`,
      description: job.phase,
      mimeType: JSON_TYPE,
    })),
  })
  const serve = (row: Row, list?: typeof listed) =>
    server.registerResource(
      row.name,
      new ResourceTemplate(row.uri, {
        list,
        complete: row.uri.includes('jobs') ? { id: jobIds } : {},
      }),
      { title: row.title, description: row.description, mimeType: row.mimeType },
      async (uri, { id }) => ({
        contents: [{ uri: uri.href, ...(await read(row, session, uri, String(id))) }],
      }),
    )
  const [job, ...others] = ROWS
  serve(job!, listed)
  for (const row of others) serve(row)
}

interface Row {
  name: string
  uri: string
  title: string
  description: string
  mimeType: string
  /** Null when there is nothing of the kind. */
  read(session: McpSession, id: string): Promise<string | null>
}

const ROWS: readonly Row[] = [
  {
    name: 'job',
    uri: 'hyperguild://jobs/{id}',
    title: 'Job',
    description: 'How far a job is and, once it is done, its result',
    mimeType: JSON_TYPE,
    async read({ deps, principal }, id) {
      const record = await readJob(deps, principal, id)
      return json({ ...statusOf(record), result: record.result })
    },
  },
  {
    name: 'job-log',
    uri: 'hyperguild://jobs/{id}/log',
    title: 'Log of a job',
    description: 'Every attempt of a job, with what was run and its output',
    mimeType: 'text/plain',
    read: async ({ deps, principal }, id) => jobLog(await readJob(deps, principal, id)),
  },
  {
    name: 'job-patch',
    uri: 'hyperguild://jobs/{id}/patch',
    title: 'Change of a job',
    description: 'The accepted change as a unified diff, for git apply',
    mimeType: 'text/x-diff',
    read: async ({ deps, principal }, id) =>
      (await readJob(deps, principal, id)).result?.patch?.diff ?? null,
  },
  {
    name: 'session',
    uri: 'hyperguild://sessions/{id}',
    title: 'Session',
    description: 'The log of a session: one entry for each finished call, oldest first',
    mimeType: JSON_TYPE,
    async read({ deps, principal }, id) {
      const entries = await readSession(deps, principal, id)
      return entries.length === 0 ? null : json({ session_id: id, entries })
    },
  },
]

async function read(row: Row, session: McpSession, uri: URL, id: string): Promise<Shown> {
  try {
    const text = await row.read(session, decodeURIComponent(id))
    if (text !== null) return { mimeType: row.mimeType, text }
  } catch (thrown) {
    const error = busyOnTrouble(thrown)
    if (!(error instanceof RequestError)) throw error
    if (error.code === 'busy') throw busy(error)
  }
  throw new ResourceNotFoundError(uri.href)
}

function json(value: object): string {
  return JSON.stringify(value, null, 1)
}

import { RequestError } from '@hyperguild/core/errors.ts'
import { eventText } from '@hyperguild/core/event-text.ts'
import type { JobEvent } from '@hyperguild/core/job.ts'
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { principalOf } from './auth.ts'
import type { GatewayDeps } from './deps.ts'
import * as operations from './operations.ts'
import { problemFrom } from './problem.ts'
import { createDeadRest } from './rest-dead.ts'

/** How long a call waits for its result when it does not say. */
const DEFAULT_WAIT_SECONDS = 30
const KEEP_ALIVE_MS = 15_000
const LIST_LIMIT = 50
const MOST_LISTED = 200

/** The operations over plain HTTP. Errors are problem details (RFC 9457). */
export function createRest(deps: GatewayDeps): Hono {
  const app = new Hono()
  app.onError((error, c) => problemFrom(c, error, deps.log))
  app.post('/skills/:name', (c) => callSkill(deps, c))
  app.get('/jobs', async (c) => {
    const limit = wholeNumber(c.req.query('limit'), 'limit', LIST_LIMIT, MOST_LISTED)
    const everybody = c.req.query('everybody') === 'true'
    return c.json({ jobs: await operations.list(deps, principalOf(c), { limit, everybody }) })
  })
  app.get('/jobs/:id', async (c) => {
    const { result } = await operations.readJob(deps, principalOf(c), c.req.param('id'))
    return c.json(result ?? (await operations.status(deps, principalOf(c), c.req.param('id'))))
  })
  app.get('/jobs/:id/events', (c) => streamEvents(deps, c))
  app.delete('/jobs/:id', async (c) =>
    c.json(await operations.cancel(deps, principalOf(c), c.req.param('id'))),
  )
  app.route('/dead', createDeadRest(deps))
  app.get('/sessions/:id', async (c) => {
    const sessionId = c.req.param('id')
    const entries = await operations.readSession(deps, principalOf(c), sessionId)
    return c.json({ session_id: sessionId, entries })
  })
  return app
}

/** 200 with the result when it is there in time, else 202 with how far the job is and where to ask. */
async function callSkill(deps: GatewayDeps, c: Context): Promise<Response> {
  const principal = principalOf(c)
  const asked = { skill: c.req.param('name') ?? '', input: inputOf(c) }
  if (deps.skills.get(asked.skill)?.kind === 'lookup') {
    return c.json(await operations.lookUp(deps, principal, asked))
  }
  const { job, listening, waitSeconds } = await operations.submit(deps, principal, asked)
  try {
    const timeoutMs = (waitSeconds ?? DEFAULT_WAIT_SECONDS) * 1000
    const result = await operations.resultWithin(listening.result, timeoutMs, c.req.raw.signal)
    if (result) return c.json(result)
    c.header('Location', `/v1/jobs/${job.id}`)
    return c.json(await operations.statusOrId(deps, principal, job), 202)
  } finally {
    listening.stop()
  }
}

/** Each step of a job as a server-sent event, the result as the last one. */
async function streamEvents(deps: GatewayDeps, c: Context): Promise<Response> {
  const principal = principalOf(c)
  const jobId = c.req.param('id') ?? ''
  const waiting: JobEvent[] = []
  let wake = () => {}
  const { listening } = await operations.follow(deps, principal, jobId, (event) => {
    waiting.push(event)
    wake()
  })
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => listening.stop())
    const keepAlive = setInterval(() => void stream.write(': keepalive\n\n'), KEEP_ALIVE_MS)
    const send = async () => {
      for (const event of waiting.splice(0)) {
        if (event.kind === 'done') continue
        const data = JSON.stringify({ ...event, message: eventText(event) })
        await stream.writeSSE({ event: event.kind, data })
      }
    }
    try {
      const ended = listening.result.then((result) => ({ result }))
      for (;;) {
        const news = new Promise<null>((resolve) => {
          wake = () => resolve(null)
        })
        await send()
        const next = await Promise.race([ended, news])
        if (next === null) continue
        await send()
        await stream.writeSSE({ event: 'done', data: JSON.stringify(next.result) })
        return
      }
    } catch (error) {
      await stream.writeSSE({ event: 'error', data: errorData(error) })
    } finally {
      clearInterval(keepAlive)
      listening.stop()
    }
  })
}

/** @throws what is no business of a caller */
function errorData(error: unknown): string {
  if (!(error instanceof RequestError)) throw error
  return JSON.stringify({ code: error.code, detail: error.message })
}

function inputOf(c: Context): Record<string, unknown> {
  const body: unknown = c.get('parsedBody')
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    return body as Record<string, unknown>
  }
  throw new RequestError(
    'invalid_argument',
    'the body must be a JSON object with the arguments of the skill, sent with Content-Type: application/json',
  )
}

function wholeNumber(text: string | undefined, name: string, fallback: number, most: number) {
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new RequestError('invalid_argument', `${name}: must be a whole number from 1 to ${most}`)
}

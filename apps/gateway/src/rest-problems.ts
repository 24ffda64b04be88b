import { type Context, Hono } from 'hono'
import { type ProblemCode, problem } from './problem.ts'

/** Refusals that come before our own routes see a request: from the checks of body, Host and Origin, and the router. */
const REFUSALS: Readonly<Record<number, [code: ProblemCode, detail: string]>> = {
  400: ['invalid_argument', 'the body is not JSON'],
  403: ['forbidden', 'this Host or Origin is not let in; see HYPERGUILD_PUBLIC_URL'],
  404: ['not_found', 'there is nothing here; /openapi.json lists what there is'],
  413: ['too_large', 'the body is larger than 4 MiB'],
}

/** The same app, in which every refusal under `/v1` is a problem document. */
export function tellProblems(app: Hono): Hono {
  const outer = new Hono()
  outer.use('/v1/*', async (c, next) => {
    await next()
    const refusal = REFUSALS[c.res.status]
    if (refusal && !isProblem(c)) c.res = problem(c, ...refusal)
  })
  return outer.route('/', app)
}

function isProblem(c: Context): boolean {
  return c.res.headers.get('content-type')?.startsWith('application/problem+json') ?? false
}

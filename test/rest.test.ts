import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JobResult } from '@hyperguild/core/result.ts'
import { createToken } from '@hyperguild/io/auth/token-file.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const SPEC =
  '{ message: Done., title: T, problem: p, goal: g, success_criteria: [a], constraints: [], out_of_scope: [], risks: [] }'
const SCRIPT = `
rules:
  - { skill: spec, when: never ending, hang: true }
  - { skill: spec, answer: ${SPEC} }
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
`

/** A request with a JSON body and perhaps a token; what came back, parsed. */
async function ask(
  fleet: TestFleet,
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
) {
  const { body, token, headers } = options
  const response = await fetch(`${fleet.url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  }
}

const specOf = (fleet: TestFleet, requirements: string) => ({
  project_root: fleet.folder,
  requirements,
  session_id: 'rest',
})

describe('over REST', () => {
  test('a skill answers with its result, which can be fetched again', async () => {
    const fleet = await startTestFleet({ script: SCRIPT })
    const called = await ask(fleet, 'POST', '/v1/skills/spec', { body: specOf(fleet, 'anything') })
    expect(called).toMatchObject({ status: 200, body: { status: 'pass', message: 'Done.' } })
    const { job_id: jobId } = called.body as JobResult
    expect((await ask(fleet, 'GET', `/v1/jobs/${jobId}`)).body).toEqual(called.body)
    expect((await ask(fleet, 'GET', '/v1/jobs')).body.jobs).toMatchObject([
      { job_id: jobId, status: 'pass' },
    ])
    const session = await ask(fleet, 'GET', '/v1/sessions/rest')
    expect(session.body.entries).toMatchObject([{ job_id: jobId, final_status: 'pass' }])
  })

  test('a job that takes longer is answered with 202 and where to ask, and can be cancelled', async () => {
    const fleet = await startTestFleet({ script: SCRIPT })
    const body = { ...specOf(fleet, 'never ending'), wait_seconds: 0 }
    const called = await ask(fleet, 'POST', '/v1/skills/spec', { body })
    expect(called).toMatchObject({ status: 202, body: { status: 'running' } })
    const path = called.headers.get('location')!
    await fleet.models.waitForCall((call) => call.skill === 'spec')
    expect((await ask(fleet, 'GET', path)).body).toMatchObject({ state: 'running' })
    expect((await ask(fleet, 'DELETE', path)).body).toMatchObject({ cancelled: true })
    expect((await ask(fleet, 'GET', path)).body).toMatchObject({ status: 'error' })
  })

  test('the events of a job end with its result', async () => {
    const fleet = await startTestFleet({ script: SCRIPT })
    const called = await ask(fleet, 'POST', '/v1/skills/spec', { body: specOf(fleet, 'anything') })
    const events = await ask(fleet, 'GET', `/v1/jobs/${called.body.job_id}/events`)
    expect(events.headers.get('content-type')).toContain('text/event-stream')
    const last = events.body.trim().split('\n\n').at(-1)!
    expect(last).toMatch(/^event: done\ndata: /)
    expect(JSON.parse(last.split('data: ')[1]!)).toEqual(called.body)
  })

  test.each([
    ['POST', '/v1/skills/nonsense', {}, 404, /there is no skill "nonsense"/],
    ['POST', '/v1/skills/spec', { requirements: 1 }, 400, /project_root.*requirements/s],
    ['POST', '/v1/skills/spec', [], 400, /must be a JSON object/],
    ['GET', '/v1/jobs/nonsense', undefined, 404, /there is no job "nonsense" of yours/],
    ['GET', '/v1/jobs?limit=0', undefined, 400, /limit: must be a whole number from 1 to 200/],
    ['GET', '/v1/sessions/..%2f..%2fetc', undefined, 400, /session_id/],
  ])(
    '%s %s with %j is a problem that says what to do',
    async (method, path, body, status, detail) => {
      const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
      const answer = await ask(fleet, method, path, body === undefined ? {} : { body })
      expect(answer.status).toBe(status)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(answer.body).toMatchObject({ status, detail: expect.stringMatching(detail) })
    },
  )

  test.each([
    ['no JSON', '{', {}, 400, 'the body is not JSON'],
    ['too much', `"${'x'.repeat(4_200_000)}"`, {}, 413, 'the body is larger than 4 MiB'],
    ['for another site', '{}', { origin: 'https://evil.example' }, 403, /Origin is not let in/],
    ['for nothing', '{}', {}, 404, /openapi\.json lists what there is/],
  ])(
    'a request with a body that is %s is a problem as well',
    async (name, body, headers, status, detail) => {
      const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
      const path = name === 'for nothing' ? '/v1/nothing' : '/v1/skills/spec'
      const response = await fetch(`${fleet.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({
        status,
        detail: expect.stringMatching(detail),
      })
    },
  )

  test('the steps of a job are told as they happen', async () => {
    const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
    const body = { ...specOf(fleet, 'anything'), wait_seconds: 0 }
    const called = await ask(fleet, 'POST', '/v1/skills/spec', { body })
    const stream = await fetch(`${fleet.url}${called.headers.get('location')}/events`)
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    const text = await stream.text()
    const events = [...text.matchAll(/^event: (\w+)\ndata: (.+)$/gm)]
    expect(events.at(-1)?.[1]).toBe('done')
    expect(events.slice(0, -1).map(([, , data]) => JSON.parse(data!).message)).toEqual([
      expect.stringMatching(/^attempt 1\/\d: .* works$/),
      expect.stringMatching(/^attempt 1\/\d: .* judges$/),
      expect.stringMatching(/^attempt 1\/\d: .* accept: Fine\.$/),
    ])
  })

  test('the OpenAPI document describes every skill with the schema that checks its calls', async () => {
    const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
    const { body } = await ask(fleet, 'GET', '/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    const { post } = body.paths['/v1/skills/spec']
    const schema = post.requestBody.content['application/json'].schema
    expect(schema.required).toEqual(['project_root', 'requirements'])
    expect(Object.keys(body.paths)).not.toContain('/v1/skills/trainer_reader')
  })
})

/** A fleet whose gateway knows three tokens. */
async function startGuardedFleet(environment: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-tokens-'))
  const file = join(folder, 'tokens.yaml')
  const make = (name: string, scopes: ('call' | 'read' | 'operate')[], expires?: string) =>
    createToken(file, { name, scopes, ...(expires ? { expires } : {}) }, Date.now())
  const tokens = {
    ann: make('ann', ['call', 'read']),
    bob: make('bob', ['call']),
    eve: make('eve', ['read']),
    ops: make('ops', ['operate']),
    old: make('old', ['call'], '2020-01-01T00:00:00Z'),
  }
  const fleet = await startTestFleet({
    script: SCRIPT,
    environment: { HYPERGUILD_TOKENS_FILE: file, ...environment },
  })
  onTestFinished(() => import('node:fs/promises').then(({ rm }) => rm(folder, { recursive: true })))
  return { fleet, tokens, file }
}

describe('with tokens', () => {
  test('nobody comes in without a good one, and is told where to get it', async () => {
    const { fleet, tokens } = await startGuardedFleet()
    for (const token of [undefined, 'hg_wrong', tokens.old]) {
      for (const path of ['/v1/jobs', '/mcp', '/board', '/board/api/queues']) {
        const answer = await ask(fleet, 'GET', path, token ? { token } : {})
        expect(answer.status, path).toBe(401)
        expect(answer.headers.get('www-authenticate')).toContain(
          '/.well-known/oauth-protected-resource',
        )
      }
    }
    expect((await ask(fleet, 'GET', '/livez')).status).toBe(200)
    const metadata = await ask(fleet, 'GET', '/.well-known/oauth-protected-resource')
    expect(metadata.body).toMatchObject({ scopes_supported: ['call', 'read', 'operate'] })
  })

  test('jobs and sessions are seen by whom they belong to and by operators', async () => {
    const { fleet, tokens } = await startGuardedFleet()
    const body = specOf(fleet, 'anything')
    const called = await ask(fleet, 'POST', '/v1/skills/spec', { body, token: tokens.ann })
    const path = `/v1/jobs/${called.body.job_id}`
    const statusFor = async (token: string) => (await ask(fleet, 'GET', path, { token })).status
    expect(await statusFor(tokens.ann)).toBe(200)
    expect(await statusFor(tokens.bob)).toBe(404)
    expect(await statusFor(tokens.ops)).toBe(200)
    const session = async (token: string) =>
      (await ask(fleet, 'GET', '/v1/sessions/rest', { token })).body.entries.length
    expect(await session(tokens.ann)).toBe(1)
    expect(await session(tokens.bob)).toBe(0)
  })

  test('a scope allows what it names and no more', async () => {
    const { fleet, tokens } = await startGuardedFleet()
    const body = specOf(fleet, 'anything')
    const reading = await ask(fleet, 'POST', '/v1/skills/spec', { body, token: tokens.eve })
    expect(reading).toMatchObject({
      status: 403,
      body: { detail: 'this needs a token with the scope "call"' },
    })
    expect((await ask(fleet, 'GET', '/board', { token: tokens.ann })).status).toBe(403)
    expect((await ask(fleet, 'GET', '/board', { token: tokens.ops })).status).toBe(200)
    const password = `Basic ${Buffer.from(`anybody:${tokens.ops}`).toString('base64')}`
    expect(
      (await ask(fleet, 'GET', '/board', { headers: { authorization: password } })).status,
    ).toBe(200)
  })

  test('who starts too many jobs is told when to come back', async () => {
    const { fleet, tokens } = await startGuardedFleet({ HYPERGUILD_OPEN_JOBS: '1' })
    const call = (requirements: string, token: string) =>
      ask(fleet, 'POST', '/v1/skills/spec', {
        body: { ...specOf(fleet, requirements), wait_seconds: 0 },
        token,
      })
    expect((await call('never ending', tokens.ann)).status).toBe(202)
    const refused = await call('another', tokens.ann)
    expect(refused).toMatchObject({
      status: 429,
      body: { detail: expect.stringContaining('1 jobs of yours are open') },
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await call('another', tokens.bob)).status).toBe(202)
  })
})

test('a request for another host or from another origin is refused', async () => {
  const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
  const answer = await ask(fleet, 'GET', '/v1/jobs', {
    headers: { origin: 'https://evil.example' },
  })
  expect(answer.status).toBe(403)
})

test('a gateway does not listen beyond this machine without a token', async () => {
  const start = startTestFleet({
    script: SCRIPT,
    pools: [],
    environment: { HYPERGUILD_HOST: '0.0.0.0' },
  })
  await expect(start).rejects.toThrow(
    /HYPERGUILD_HOST: 0\.0\.0\.0 can be reached from other machines/,
  )
})

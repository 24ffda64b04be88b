import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startGateway } from '@hyperguild/gateway/gateway.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { leftoversOf } from './leftovers.ts'
import { callTool } from './mcp-wire.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small, ollama/large]
`
const SCRIPT = `
rules:
  - skill: verifier
    when: stuck-verdict
    hang: true
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: review
    when: stuck-review
    hang: true
  - skill: tdd_green
    hang: true
  - skill: review
    answer: {message: Looks good., findings: []}
`

async function startFleet(environment: Record<string, string> = {}, pools?: ('local' | 'cloud')[]) {
  const fleet = await startTestFleet({
    script: SCRIPT,
    chains: CHAINS,
    environment: { HYPERGUILD_SANDBOX: 'none', ...environment },
    ...(pools ? { pools } : {}),
  })
  const project_root = await fleet.writeProject({
    'a.js': 'a()\n',
    'package.json': '{"scripts":{"test":"node --test"}}',
    'a.test.js': "import test from 'node:test'\ntest('a', () => { throw new Error('red') })\n",
  })
  const review = (context = '') => ({ project_root, files: ['a.js'], context })
  return { fleet, project_root, review }
}

/** One more gateway of the same fleet. */
async function anotherGateway({ variables }: TestFleet): Promise<string> {
  const environment = readEnvironment(variables)
  const gateway = await startGateway({
    environment,
    config: loadConfig(environment),
    log: createLogger('test', 'silent'),
    redisUrl: environment.redisUrl!,
    version: '0.0.0-test',
  })
  onTestFinished(() => gateway.close())
  return gateway.url!
}

/** Starts a job without waiting for it. */
async function start(fleet: TestFleet, tool: string, input: Record<string, unknown>) {
  const answer = await callTool(fleet.url, tool, { ...input, wait_seconds: 0 })
  expect(answer.structuredContent).toMatchObject({ status: 'running' })
  return answer.structuredContent.job_id as string
}

const resultOf = async (url: string, job_id: string) =>
  (await callTool(url, 'job_wait', { job_id, wait_seconds: 60 })).structuredContent

describe('a cancel', () => {
  test('stops the model at work, records its attempt and ends the job, asked at any gateway', async () => {
    const { fleet, review } = await startFleet()
    const other = await anotherGateway(fleet)
    const job_id = await start(fleet, 'review', review('stuck-review'))
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'review')
    const answer = await callTool(other, 'job_cancel', { job_id })
    expect(answer.structuredContent).toMatchObject({ cancelled: true, status: 'error' })
    expect(await call.ended).toBe('closed')
    expect(await resultOf(fleet.url, job_id)).toMatchObject({
      status: 'error',
      ended: 'cancelled',
      message: 'the job was cancelled',
      attempts: [
        {
          model: 'ollama/small',
          verdict: 'error',
          feedback: 'cancelled: the job was cancelled',
        },
      ],
    })
    expect(fleet.models.calls()).toHaveLength(1)
    await expect.poll(() => leftoversOf(fleet)).toEqual([])
  })

  test('disposes of the workspace of an edit', async () => {
    const { fleet, project_root } = await startFleet()
    const input = { project_root, test_path: 'a.test.js' }
    const job_id = await start(fleet, 'tdd_green', input)
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'tdd_green')
    const jobs = join(fleet.folder, '.data', 'jobs')
    const copies = async () => (await readdir(jobs).catch(() => [])).length
    expect(await copies()).toBe(1)
    await callTool(fleet.url, 'job_cancel', { job_id })
    expect(await call.ended).toBe('closed')
    await expect.poll(copies).toBe(0)
  })

  test('of a job that waits for its verdict keeps what the model had done', async () => {
    const { fleet, review } = await startFleet()
    const job_id = await start(fleet, 'review', review('stuck-verdict'))
    const call = await fleet.models.waitForCall(({ skill }) => skill === 'verifier')
    await callTool(fleet.url, 'job_cancel', { job_id })
    expect(await call.ended).toBe('closed')
    const { attempts } = await resultOf(fleet.url, job_id)
    expect(attempts).toMatchObject([
      { model: 'ollama/small', verdict: 'error', output_summary: 'Looks good.' },
    ])
    expect(attempts[0].feedback).toContain('cancelled')
  })

  test('of a queued job takes its step out of the queue, and no worker ever does it', async () => {
    const { fleet, review } = await startFleet({}, [])
    const first = await start(fleet, 'review', review('first'))
    const second = await start(fleet, 'review', review('second'))
    const place = (await callTool(fleet.url, 'job_status', { job_id: second })).structuredContent
    expect(place).toMatchObject({ state: 'queued', queue_position: 2 })
    await callTool(fleet.url, 'job_cancel', { job_id: first })
    expect((await callTool(fleet.url, 'job_status', { job_id: second })).structuredContent).toEqual(
      expect.objectContaining({ queue_position: 1 }),
    )
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    expect(await resultOf(fleet.url, second)).toMatchObject({ status: 'pass' })
    expect(await resultOf(fleet.url, first)).toMatchObject({ ended: 'cancelled', attempts: [] })
    expect(fleet.models.calls().filter(({ skill }) => skill === 'review')).toHaveLength(1)
  })

  test('of a job that is done changes nothing', async () => {
    const { fleet, review } = await startFleet()
    const done = (await callTool(fleet.url, 'review', review())).structuredContent
    const answer = await callTool(fleet.url, 'job_cancel', { job_id: done.job_id })
    expect(answer.structuredContent).toMatchObject({ cancelled: false, status: 'pass' })
    expect(await resultOf(fleet.url, done.job_id)).toEqual(done)
  })

  test('of a job that never was is refused with words', async () => {
    const { fleet } = await startFleet({}, [])
    const answer = await callTool(fleet.url, 'job_cancel', { job_id: 'no-such-job' })
    expect(answer).toMatchObject({ isError: true })
    expect(answer.content[0].text).toContain('there is no job "no-such-job"')
  })
})

describe('the same call again', () => {
  test('joins the open job, at any gateway and in whatever order its arguments stand', async () => {
    const { fleet, review, project_root } = await startFleet({}, [])
    const other = await anotherGateway(fleet)
    const first = callTool(fleet.url, 'review', review('x'))
    const second = callTool(other, 'review', { context: 'x', files: ['a.js'], project_root })
    const third = await start(fleet, 'review', review('x'))
    await fleet.startPool('local')
    await fleet.startPool('cloud')
    const ids = (await Promise.all([first, second])).map((one) => one.structuredContent.job_id)
    expect(ids).toEqual([third, third])
    expect(fleet.models.calls().filter(({ skill }) => skill === 'review')).toHaveLength(1)
  })

  test('is a new job once the first one is done, unless the caller named it', async () => {
    const { fleet, review } = await startFleet()
    const idOf = async (request_id?: string) => {
      const input = { ...review(), ...(request_id ? { request_id } : {}) }
      return (await callTool(fleet.url, 'review', input)).structuredContent.job_id
    }
    const unnamed = [await idOf(), await idOf()]
    const named = [await idOf('mine'), await idOf('mine'), await idOf('another')]
    expect(new Set([...unnamed, ...named]).size).toBe(4)
    expect(named[0]).toBe(named[1])
  })

  test('with other arguments is another job', async () => {
    const { fleet, review } = await startFleet({}, [])
    const ids = [
      await start(fleet, 'review', review('x')),
      await start(fleet, 'review', review('y')),
    ]
    expect(new Set(ids).size).toBe(2)
  })
})

test('jobs are listed newest first, a page at a time, with how they ended', async () => {
  const { fleet, review } = await startFleet()
  const done: string[] = []
  for (const context of ['one', 'two', 'three']) {
    done.unshift((await callTool(fleet.url, 'review', review(context))).structuredContent.job_id)
  }
  const list = async (input: object) =>
    (await callTool(fleet.url, 'job_list', { ...input })).structuredContent.jobs
  const first = await list({ limit: 2 })
  expect(first).toMatchObject(
    done.slice(0, 2).map((job_id) => ({ job_id, tool: 'review', status: 'pass', state: 'done' })),
  )
  const rest = await list({ before: first.at(-1).submitted_at })
  expect(rest.map((job: { job_id: string }) => job.job_id)).toEqual(done.slice(2))
})

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ask, callTool, type Message, send } from './mcp-wire.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const SCRIPT = `
rules:
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: spec
    answer: {message: Written., document: '# Spec'}
  - skill: tdd_green
    turns:
      - tool: write_file
        input: {path: a.js, content: "exports.a = () => 1\\n"}
      - tool: run_tests
      - answer: {message: It passes.}
  - skill: review
    answer: {message: Looks good., findings: []}
`
const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small]
`

async function startFleet(environment: Record<string, string> = {}, pools?: ('local' | 'cloud')[]) {
  return startTestFleet({
    script: SCRIPT,
    chains: CHAINS,
    environment: { HYPERGUILD_SANDBOX: 'none', ...environment },
    ...(pools ? { pools } : {}),
  })
}

const namesIn = (list: Message): string[] => list.tools.map((tool: { name: string }) => tool.name)

describe('tools are offered', () => {
  const JOBS = ['job_cancel', 'job_list', 'job_status', 'job_wait']
  const READ_ONLY_JOBS = JOBS.filter((name) => name !== 'job_cancel')
  const TDD = ['tdd_green', 'tdd_red', 'tdd_refactor']

  const ROWS: [
    name: string,
    environment: Record<string, string>,
    path: string,
    headers: Record<string, string>,
    offered: string[],
  ][] = [
    ['by toolset, in the address', {}, '/mcp/x/tdd', {}, [...TDD, ...JOBS]],
    [
      'by several toolsets and tools, in a header',
      {},
      '/mcp',
      { 'x-mcp-toolsets': 'fleet, review' },
      ['review', 'session_log', 'tier', ...JOBS],
    ],
    [
      'no further than both header and address say',
      {},
      '/mcp/x/quality',
      { 'x-mcp-toolsets': 'tdd,debug' },
      ['debug', ...JOBS],
    ],
    [
      'no further than the operator says',
      { HYPERGUILD_TOOLSETS: 'quality' },
      '/mcp',
      { 'x-mcp-toolsets': 'tdd,debug' },
      ['debug', ...JOBS],
    ],
    ['only to read, in the address', {}, '/mcp/x/quality/readonly', {}, ['debug', 'review']],
    [
      'only to read, in a header',
      {},
      '/mcp/x/quality',
      { 'x-mcp-readonly': 'true' },
      ['debug', 'review'],
    ],
    [
      'only to read, whatever else is asked for',
      { HYPERGUILD_READ_ONLY: 'on' },
      '/mcp/x/tdd',
      { 'x-mcp-toolsets': 'all', 'x-mcp-readonly': 'false' },
      [],
    ],
  ]

  test.each(ROWS)('%s', async (name, environment, path, headers, offered) => {
    const fleet = await startFleet(environment, [])
    const list = await ask(fleet.url, 'tools/list', {}, { path, headers })
    const jobs = name.startsWith('only to read') ? READ_ONLY_JOBS : []
    expect(namesIn(list)).toEqual([...offered, ...jobs])
  })

  test('and no other can be called', async () => {
    const fleet = await startFleet({}, [])
    const answer = await callTool(fleet.url, 'tdd_red', {}, { path: '/mcp/x/quality' })
    expect(answer.error).toMatchObject({ code: -32602 })
    expect(answer.error.message).toContain('there is no tool "tdd_red" here')
  })

  test('and a name that is none is told, with the nearest one', async () => {
    const fleet = await startFleet({}, [])
    const response = await send(fleet.url, 'tools/list', {}, { path: '/mcp/x/qualty' })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('did you mean quality?')
    await expect(startFleet({ HYPERGUILD_TOOLSETS: 'tddd' }, [])).rejects.toThrow(
      'HYPERGUILD_TOOLSETS: tddd is neither a toolset nor a tool; did you mean tdd?',
    )
  })

  test('with a title, hints, an icon and how long the list holds', async () => {
    const fleet = await startFleet({}, [])
    const list = await ask(fleet.url, 'tools/list')
    expect(list).toMatchObject({ ttlMs: 300_000, cacheScope: 'private' })
    for (const tool of list.tools) {
      expect(tool, tool.name).toMatchObject({
        title: expect.stringMatching(/./),
        annotations: { readOnlyHint: expect.any(Boolean), destructiveHint: expect.any(Boolean) },
        icons: [{ mimeType: 'image/svg+xml' }],
        _meta: { 'anthropic/maxResultSizeChars': 500_000 },
      })
    }
    const hintsOf = (name: string) =>
      list.tools.find((tool: { name: string }) => tool.name === name).annotations
    expect(hintsOf('review')).toMatchObject({ readOnlyHint: true, openWorldHint: true })
    expect(hintsOf('tdd_red')).toMatchObject({ readOnlyHint: false, destructiveHint: false })
    expect(hintsOf('job_cancel')).toMatchObject({ readOnlyHint: false, destructiveHint: true })
  })
})

test('the server says who it is and how to use it', async () => {
  const fleet = await startFleet({}, [])
  const found = await ask(fleet.url, 'server/discover')
  expect(found).toMatchObject({
    supportedVersions: ['2026-07-28'],
    capabilities: {
      tools: {},
      prompts: {},
      resources: {},
      extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/skills': {} },
    },
    instructions: expect.stringContaining('job_wait'),
  })
})

describe('prompts', () => {
  test('lead through the workflows with what the person gave', async () => {
    const fleet = await startFleet({}, [])
    const { prompts } = await ask(fleet.url, 'prompts/list')
    expect(prompts.map((prompt: { name: string }) => prompt.name)).toEqual([
      'red-green-refactor',
      'review-then-fix',
    ])
    const textOf = async (name: string, given: Record<string, string>) =>
      (await ask(fleet.url, 'prompts/get', { name, arguments: given })).messages[0].content.text
    const cycle = await textOf('red-green-refactor', {
      project_root: '/srv/shop',
      behaviour: 'total() of no items is 0',
      test_cmd: 'npm test',
    })
    expect(cycle).toContain('project_root "/srv/shop", test_cmd "npm test"')
    expect(cycle).toContain('   > total() of no items is 0')
    const fix = await textOf('review-then-fix', { project_root: '/srv/shop', files: 'a.js, b.js' })
    expect(fix).toContain('review with files ["a.js","b.js"]')
  })

  test('ask for what they need', async () => {
    const fleet = await startFleet({}, [])
    const answer = await ask(fleet.url, 'prompts/get', { name: 'review-then-fix', arguments: {} })
    expect(answer.error).toMatchObject({ code: -32602 })
  })
})

describe('resources', () => {
  const read = async ({ url }: TestFleet, uri: string) =>
    (await ask(url, 'resources/read', { uri })).contents?.[0]

  test('show a job, its log and its session, and list the latest jobs', async () => {
    const fleet = await startFleet()
    const project_root = await fleet.writeProject({ 'a.js': 'a()\n' })
    const input = { project_root, files: ['a.js'], session_id: 'my-session' }
    const { job_id } = (await callTool(fleet.url, 'review', input)).structuredContent
    const uri = `hyperguild://jobs/${job_id}`
    const job = JSON.parse((await read(fleet, uri)).text)
    expect(job).toMatchObject({ job_id, state: 'done', result: { message: 'Looks good.' } })
    expect((await read(fleet, `${uri}/log`)).text).toContain('attempt 1/1: ollama/small (local)')
    const session = JSON.parse((await read(fleet, 'hyperguild://sessions/my-session')).text)
    expect(session.entries).toMatchObject([{ job_id, skill: 'review', principal: 'local' }])
    const { resources } = await ask(fleet.url, 'resources/list')
    expect(resources.map((one: { uri: string }) => one.uri)).toContain(uri)
  })

  test('hold the change of a job, which applies with git', async () => {
    const fleet = await startFleet()
    const project_root = await fleet.writeProject({
      'package.json': '{"scripts":{"test":"node --test"}}',
      'a.test.js':
        "const test = require('node:test')\ntest('a', () => { if (require('./a.js').a() !== 1) throw new Error('red') })\n",
      'a.js': 'exports.a = () => 0\n',
    })
    const input = { project_root, test_path: 'a.test.js', test_cmd: 'node --test', apply: false }
    const { structuredContent: result } = await callTool(fleet.url, 'tdd_green', input)
    expect(result).toMatchObject({ status: 'pass', verified: true })
    const patch = await read(fleet, `hyperguild://jobs/${result.job_id}/patch`)
    expect(patch).toMatchObject({ mimeType: 'text/x-diff', text: result.patch.diff })
    writeFileSync(join(fleet.folder, 'the.patch'), patch.text)
    execFileSync('git', ['apply', join(fleet.folder, 'the.patch')], { cwd: project_root })
  })

  test.each([
    'hyperguild://jobs/no-such-job',
    'hyperguild://jobs/no-such-job/patch',
    'hyperguild://sessions/no-such-session',
    'hyperguild://sessions/..%2Fsecrets',
    'hyperguild://elsewhere/a',
  ])('do not hold %s', async (uri) => {
    const fleet = await startFleet({}, [])
    const answer = await ask(fleet.url, 'resources/read', { uri })
    expect(answer.error).toMatchObject({ code: -32602, data: { uri } })
  })
})

test('a client can complete the id of a job', async () => {
  const fleet = await startFleet({}, [])
  const project_root = await fleet.writeProject({ 'a.js': 'a()\n' })
  const input = { project_root, files: ['a.js'], wait_seconds: 0 }
  const { job_id } = (await callTool(fleet.url, 'review', input)).structuredContent
  const complete = (value: string) =>
    ask(fleet.url, 'completion/complete', {
      ref: { type: 'ref/resource', uri: 'hyperguild://jobs/{id}' },
      argument: { name: 'id', value },
    })
  expect((await complete(job_id.slice(0, 4))).completion.values).toEqual([job_id])
  expect((await complete('no')).completion.values).toEqual([])
})

test('the disciplines are served as skills, each with the shape of its answer', async () => {
  const fleet = await startFleet({}, [])
  const { skills } = await ask(fleet.url, 'skills/list')
  const names = skills.map((skill: { frontmatter: { name: string } }) => skill.frontmatter.name)
  expect(names).toEqual([
    'debug',
    'retrospective',
    'review',
    'spec',
    'tdd-green',
    'tdd-red',
    'tdd-refactor',
    'trainer',
  ])
  const text = async (uri: string) =>
    (await ask(fleet.url, 'resources/read', { uri })).contents[0].text as string
  const discipline = await text('skill://tdd-red/SKILL.md')
  expect(discipline).toMatch(/^---\nname: tdd-red\ndescription: "Write one new test/)
  expect(discipline).not.toContain('{{')
  expect(JSON.parse(await text('skill://tdd-red/references/answer.schema.json'))).toMatchObject({
    type: 'object',
  })
})

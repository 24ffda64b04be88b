import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createJobQueue } from '@hyperguild/io/queue/job-queue.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import type { RecordedCall } from '@hyperguild/io/simulated/journal.ts'
import { describe, expect, inject, test, vi } from 'vitest'
import { changedPaths, treeOf } from './project-tree.ts'
import { serveRepository } from './serve-repository.ts'
import { connectClient } from './skill-client.ts'
import { startTestFleet, type TestFleet, type TestFleetOptions } from './test-fleet.ts'

// A job runs the tests three times for each model, and other files' tests may want the processors too.
vi.setConfig({ testTimeout: 60_000 })

const SHOP = new URL('../examples/shop', import.meta.url).pathname

const chains = (verify: string, verifier = 'claude-judge') => `
verifier: ${verifier}
default_chain: [ollama/small, ollama/large]
skills: { tdd: { chain: [ollama/small, ollama/large], verify: ${verify} } }
`

const TEST_PATH = 'test/shipping.test.js'
const IMPL_PATH = 'src/shipping.js'
const SPEC = 'shippingCost(subtotal) in src/shipping.js gives 490, and 0 from a subtotal of 5000 on'

const RED = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shippingCost } from '../src/shipping.js'

test('shipping is free from 5000 on', () => {
  assert.equal(shippingCost(4999), 490)
  assert.equal(shippingCost(5000), 0)
})
`
const GREEN = 'export const shippingCost = (subtotal) => (subtotal >= 5000 ? 0 : 490)\n'
const REFACTORED = `const FREE_FROM = 5000

export function shippingCost(subtotal) {
  return subtotal >= FREE_FROM ? 0 : 490
}
`
const PROJECT = {
  'package.json': '{"type": "module", "scripts": {"test": "node --test"}}\n',
  'src/cart.js': 'export const createCart = () => []\n',
  'test/cart.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCart } from '../src/cart.js'

test('a new cart is empty', () => assert.deepEqual(createCart(), []))
`,
}

/** A model that writes one file, runs the tests and finishes. */
const writes = (path: string, content: string, message = 'Done.') => ({
  turns: [
    { tool: 'write_file', input: { path, content } },
    { tool: 'run_tests' },
    { answer: { message } },
  ],
})
const ACCEPTS = { skill: 'verifier', answer: { accept: true, feedback: 'It holds.' } }
const REJECTS = { skill: 'verifier', answer: { accept: false, feedback: 'Test 4999 as well.' } }
const RED_IS_WRITTEN = [{ skill: 'tdd_red', ...writes(TEST_PATH, RED) }]

/** A fleet, a project in it, and ways to look at both from outside. */
async function startProject(rules: readonly object[], options: Partial<TestFleetOptions> = {}) {
  const script = JSON.stringify({ rules })
  const fleet = await startTestFleet({ chains: chains('evidence'), ...options, script })
  const root = await fleet.writeProject(PROJECT)
  const { call } = await connectClient(fleet.url)
  // One process, without npm and a process for each file, which take longer than the tests.
  const test_cmd = 'node --test --test-isolation=none'
  const common = { project_root: root, test_path: TEST_PATH, test_cmd }
  return {
    fleet,
    root,
    call,
    write: (path: string, text: string) => writeFileSync(join(root, path), text),
    read: (path: string) => readFileSync(join(root, path), 'utf8'),
    red: (more: object = {}) => call('tdd_red', { ...common, spec: SPEC, ...more }),
    green: (more: object = {}) => call('tdd_green', { ...common, ...more }),
    refactor: () => call('tdd_refactor', { ...common, impl_path: IMPL_PATH }),
    /** Does something while the first call of a model is under way, before it is answered. */
    duringCallTo: (model: string, act: () => void) => {
      const isFirst = (c: RecordedCall) => c.model.endsWith(model) && c.turnsTaken === 0
      return fleet.models.waitForCall(isFirst).then(act)
    },
  }
}

const calledSkills = ({ models }: TestFleet) => models.calls().map(({ skill }) => skill)
const promptsTo = ({ models }: TestFleet, name: string) =>
  models.calls().flatMap((call) => (call.model.endsWith(name) ? [call.promptText] : []))
const workspacesIn = ({ folder }: TestFleet) => readdirSync(join(folder, '.data/jobs'))

test('red, green and refactor are each proved by running the tests, and each changes the tree once', async () => {
  const shop = await startProject([
    { skill: 'tdd_red', ...writes(TEST_PATH, RED, 'A test for shippingCost.') },
    { skill: 'tdd_green', ...writes(IMPL_PATH, GREEN) },
    { skill: 'tdd_refactor', ...writes(IMPL_PATH, REFACTORED) },
  ])
  cpSync(SHOP, shop.root, { recursive: true })
  const atFirst = treeOf(shop.root)

  const red = await shop.red({ test_cmd: undefined })
  expect(red).toMatchObject({
    status: 'pass',
    verified: true,
    model_used: 'ollama/small',
    file_path: TEST_PATH,
    message: 'A test for shippingCost.',
    patch: { applied: true, reason: null, files: [{ path: TEST_PATH, status: 'added' }] },
    evidence: {
      before: { command: 'npm test', exitCode: 0, sandbox: 'bubblewrap' },
      after: { exitCode: 1, report: { loadErrors: [{ file: TEST_PATH }] } },
    },
  })
  expect(red.runner_output).toContain('Cannot find module')
  expect(red.evidence!.before!.report!.tests).toHaveLength(16)
  const withTest = treeOf(shop.root)
  expect(changedPaths(atFirst, withTest)).toEqual([TEST_PATH])
  expect(shop.read(TEST_PATH)).toBe(RED)

  const green = await shop.green()
  const name = 'shipping is free from 5000 on'
  expect(green).toMatchObject({ status: 'pass', verified: true, file_path: IMPL_PATH })
  expect(green.runner_output).toContain(`✔ ${name}`)
  expect(green.evidence).toMatchObject({ before: { exitCode: 1 }, after: { exitCode: 0 } })
  const tests = green.evidence!.after!.report!.tests
  expect(tests).toContainEqual({ name, file: TEST_PATH, status: 'passed', failure: null })
  expect(tests).toHaveLength(17)
  const withCode = treeOf(shop.root)
  expect(changedPaths(withTest, withCode)).toEqual([IMPL_PATH])

  expect(await shop.refactor()).toMatchObject({
    status: 'pass',
    verified: true,
    patch: { applied: true, files: [{ path: IMPL_PATH, status: 'modified' }] },
    evidence: { before: { exitCode: 0 }, after: { exitCode: 0 } },
  })
  expect(changedPaths(withCode, treeOf(shop.root))).toEqual([IMPL_PATH])
  expect(shop.read(IMPL_PATH)).toBe(REFACTORED)

  const ownRun = execFileSync(process.execPath, ['--test'], { cwd: shop.root, encoding: 'utf8' })
  expect(ownRun).toMatch(/pass 17\n/)
  await expect.poll(() => workspacesIn(shop.fleet)).toEqual([])
})

describe('what happens to the tree', () => {
  test('apply: false returns the patch, which fits, and leaves the tree alone', async () => {
    const { root, red, read } = await startProject(RED_IS_WRITTEN)
    const before = treeOf(root)
    const result = await red({ apply: false })
    expect(result).toMatchObject({ status: 'pass', verified: true, patch: { applied: false } })
    expect(treeOf(root)).toEqual(before)
    execFileSync('git', ['apply'], { cwd: root, input: result.patch!.diff })
    expect(read(TEST_PATH)).toBe(RED)
  })

  test('a file that changed meanwhile is not touched; the patch comes back with the reason', async () => {
    const path = 'test/cart.test.js'
    const more = "test('a cart costs nothing', () => assert.equal(createCart().cents, 0))\n"
    const project = await startProject([
      { skill: 'tdd_red', ...writes(path, PROJECT[path] + more) },
    ])
    const changed = project.duringCallTo('small', () => project.write(path, '// mine\n'))
    const result = await project.red({ test_path: path })
    await changed
    expect(result).toMatchObject({
      status: 'pass',
      verified: true,
      patch: { applied: false, reason: expect.stringContaining(path), files: [{ path }] },
    })
    expect(result.patch!.diff).toContain(`+${more}`)
    expect(project.read(path)).toBe('// mine\n')
    expect(readdirSync(join(project.root, 'test'))).toEqual(['cart.test.js'])
  })

  test('a change to another file meanwhile is no obstacle, and stays', async () => {
    const project = await startProject(RED_IS_WRITTEN)
    const changed = project.duringCallTo('small', () => project.write('README.md', 'mine\n'))
    expect(await project.red()).toMatchObject({ status: 'pass', patch: { applied: true } })
    await changed
    expect([project.read('README.md'), project.read(TEST_PATH)]).toEqual(['mine\n', RED])
  })

  test('a rejected attempt leaves no trace, and the next one starts from the same base', async () => {
    const project = await startProject([
      {
        model: 'small',
        turns: [
          { tool: 'write_file', input: { path: 'src/junk.js', content: 'export {}\n' } },
          { tool: 'run_tests' },
          { answer: { message: 'Done.' } },
        ],
      },
      {
        model: 'large',
        turns: [
          {
            calls: [{ tool: 'read_file', input: { path: 'src/cart.js' } }, { tool: 'list_files' }],
          },
          ...writes(TEST_PATH, RED).turns,
        ],
      },
    ])
    const atFirst = treeOf(project.root)
    const changed = project.duringCallTo('large', () => {
      expect(treeOf(project.root)).toEqual(atFirst)
      project.write('src/cart.js', '// changed meanwhile\n')
      project.write('test/cart.test.js', '// changed meanwhile\n')
    })
    const result = await project.red({ spec: `${SPEC}; src/cart.js is its neighbour` })
    await changed
    expect(result.attempts.map(({ verdict }) => verdict)).toEqual(['escalate', 'accept'])
    expect(result.attempts[0]!.feedback).toContain('src/junk.js is not a test file')
    const [, afterLooking] = promptsTo(project.fleet, 'large')
    expect(afterLooking).toContain('createCart = () => []')
    expect(afterLooking).not.toMatch(/junk\.js(?! is not a test file)|changed meanwhile/)
    expect(result.evidence!.after!.report!.tests).toContainEqual(
      expect.objectContaining({ name: 'a new cart is empty', status: 'passed' }),
    )
    expect(Object.keys(treeOf(project.root))).not.toContain('src/junk.js')
  })

  test('what the task shows a later attempt is the base too, not what the project has become', async () => {
    const project = await startProject([
      { model: 'small', answer: { message: 'Done.' } },
      { model: 'large', ...writes(TEST_PATH, RED) },
    ])
    const changed = project.duringCallTo('small', () => {
      project.write('src/cart.js', '// changed meanwhile\n')
    })
    await project.red({ spec: `${SPEC}; src/cart.js is its neighbour` })
    await changed
    expect(promptsTo(project.fleet, 'large')[0]).toContain('createCart = () => []')
  })
})

describe('a project that is not a directory of the fleet', () => {
  test('comes from a repository, and the patch comes back', async () => {
    const rules = [{ skill: 'tdd_green', ...writes(IMPL_PATH, GREEN) }]
    const { write, root } = await startProject(rules, { pools: [] })
    write(TEST_PATH, RED)
    const { host } = await serveRepository(root)
    const project = await startProject(rules, { environment: { HYPERGUILD_REPO_HOSTS: host } })
    const repo = { url: `${host}/project.git`, ref: 'main' }
    const result = await project.green({ project_root: '.', repo })
    expect(result).toMatchObject({
      status: 'pass',
      verified: true,
      patch: {
        applied: false,
        reason: 'there is no tree to apply it to: the project came with the call',
        files: [{ path: IMPL_PATH, status: 'added' }],
      },
    })
    await expect.poll(() => workspacesIn(project.fleet)).toEqual([])
    expect(
      await project.green({ project_root: '.', repo: { ...repo, ref: 'gone' } }),
    ).toMatchObject({ status: 'error', message: expect.stringContaining('has no "gone"') })
    const elsewhere = { ...repo, url: 'https://git.example.org/a.git' }
    expect(await project.green({ project_root: '.', repo: elsewhere })).toMatchObject({
      status: 'error',
      message: expect.stringContaining('not an allowed host'),
    })
  })

  test('comes as a bundle of files, and the patch comes back', async () => {
    const { green } = await startProject([{ skill: 'tdd_green', ...writes(IMPL_PATH, GREEN) }])
    const files = Object.entries({ ...PROJECT, [TEST_PATH]: RED })
    const bundle = files.map(([path, content]) => ({ path, content }))
    expect(await green({ project_root: '.', bundle })).toMatchObject({
      status: 'pass',
      verified: true,
      patch: { applied: false, diff: expect.stringContaining(`+${GREEN}`) },
    })
    expect(await green({ project_root: '/tmp', bundle })).toMatchObject({
      status: 'error',
      message: expect.stringContaining('write "."'),
    })
  })
})

describe('who judges', () => {
  test('verify: evidence asks no verifier', async () => {
    const { fleet, red } = await startProject([...RED_IS_WRITTEN, ACCEPTS])
    expect(await red()).toMatchObject({ status: 'pass', model_used: 'ollama/small' })
    expect(calledSkills(fleet)).not.toContain('verifier')
  })

  test('verify: both asks it after the evidence, and its rejection counts', async () => {
    const { fleet, red } = await startProject(
      [...RED_IS_WRITTEN, { ...REJECTS, times: 1 }, ACCEPTS],
      { chains: chains('both') },
    )
    const result = await red()
    expect(result).toMatchObject({ status: 'pass', model_used: 'ollama/large' })
    expect(result.attempts.map(({ verdict, feedback }) => [verdict, feedback])).toEqual([
      ['escalate', 'Test 4999 as well.'],
      ['accept', 'It holds.'],
    ])
    expect(promptsTo(fleet, 'large')[0]).toContain('Prior attempt feedback: Test 4999 as well.')
    const judged = promptsTo(fleet, 'claude-judge')[0]!
    expect(judged).toContain("+test('shipping is free from 5000 on'")
    expect(judged).toContain('"exitCode": 1')
  })

  test('verify: both does not ask about work that the evidence speaks against', async () => {
    const { fleet, red } = await startProject(
      [{ skill: 'tdd_red', ...writes(TEST_PATH, RED.replace('490', '(')) }, ACCEPTS],
      { chains: chains('both') },
    )
    expect(await red()).toMatchObject({ status: 'error', verified: false, patch: null })
    expect(calledSkills(fleet)).not.toContain('verifier')
  })

  test('verify: model leaves the proof to the verifier, but no rule', async () => {
    const { fleet, red } = await startProject(
      [
        { model: 'small', ...writes('src/cart.js', GREEN) },
        {
          model: 'large',
          ...writes(TEST_PATH, RED.replace('../src/shipping.js', 'no-such-package')),
        },
        ACCEPTS,
      ],
      { chains: chains('model') },
    )
    const result = await red()
    expect(result.attempts[0]!.feedback).toContain('src/cart.js is not a test file')
    expect(result).toMatchObject({ status: 'pass', verified: false, model_used: 'ollama/large' })
    expect(calledSkills(fleet).filter((skill) => skill === 'verifier')).toHaveLength(1)
  })

  test('with no verifier to be reached nothing is accepted unseen, and the message names the way', async () => {
    const { root, red } = await startProject(
      [...RED_IS_WRITTEN, { skill: 'verifier', drop: true }],
      { chains: chains('both') },
    )
    const before = treeOf(root)
    const result = await red()
    expect(result).toMatchObject({ status: 'error', verified: false, patch: null })
    expect(result.attempts.map(({ verdict }) => verdict)).toEqual(['escalate', 'escalate'])
    expect(result.message).toContain('the verifier gave no verdict')
    expect(result.message).toContain('"verify: evidence" for tdd in models.yaml')
    expect(treeOf(root)).toEqual(before)
  })

  test('a local model may be the verifier; its step goes to its own queue', async () => {
    const { fleet, red } = await startProject([...RED_IS_WRITTEN, ACCEPTS], {
      chains: chains('both', 'ollama/judge'),
      pools: ['local'],
    })
    const result = await red()
    expect(result).toMatchObject({ status: 'pass', attempts: [{ feedback: 'It holds.' }] })
    expect(fleet.models.calls().map(({ model }) => model)).toContain('ollama/judge')
    expect(await stepsDoneIn(fleet, 'ollama/judge')).toEqual([`${result.job_id}-1`])
  })
})

test('a specification is written where the caller wants it', async () => {
  const lists = {
    success_criteria: ['It is free from 5000 on.'],
    constraints: [],
    out_of_scope: [],
  }
  const answer = {
    message: 'A spec.',
    title: 'Shipping',
    problem: 'p',
    goal: 'g',
    risks: [],
    ...lists,
  }
  const { root, call, read } = await startProject([{ skill: 'spec', answer }, ACCEPTS])
  const input = { project_root: root, requirements: SPEC, output_path: 'docs/shipping.md' }
  const before = treeOf(root)
  const unwritten = await call('spec', { ...input, apply: false })
  expect(unwritten).toMatchObject({ status: 'pass', patch: { applied: false } })
  expect(treeOf(root)).toEqual(before)
  const result = await call('spec', input)
  expect(result).toMatchObject({ status: 'pass', file_path: 'docs/shipping.md', verified: false })
  expect(changedPaths(before, treeOf(root))).toEqual(['docs', 'docs/shipping.md'])
  expect(read('docs/shipping.md')).toMatch(/^# Shipping\n/)
  expect(read('docs/shipping.md')).toContain('## Success criteria\n\n- It is free from 5000 on.\n')
  const outside = await call('spec', { ...input, output_path: '../shipping.md' })
  expect(outside).toMatchObject({ status: 'error', message: expect.stringContaining('..') })
})

/** The queue's own record of the steps done for a model. */
async function stepsDoneIn({ redisPrefix }: TestFleet, model: string): Promise<unknown[]> {
  const redis = connectRedis(inject('redisUrl'), 'test', 'wait')
  const queue = createJobQueue(redis, keysFor(redisPrefix))
  const done = await queue.queueFor(model).getCompleted()
  await queue.close()
  redis.disconnect()
  return done.map(({ id }) => id)
}

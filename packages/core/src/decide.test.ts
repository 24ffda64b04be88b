import { expect, test } from 'vitest'
import { attemptsOf, type Decision, decide } from './decide.ts'
import { NO_EVIDENCE } from './evidence.ts'
import { FAILURES } from './failure.ts'
import {
  aJob,
  applying,
  badInput,
  candidate,
  failed,
  noVerdict,
  PATCH,
  refuted,
  testRun,
  usageOf,
  verdict,
} from './job.fixture.ts'
import type { Job } from './job.ts'
import type { Step } from './step.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'
const CLOUD = 'claude-sonnet-4-6'
const IN_TIME = 6000
const LATE = 60_000

const generate = (model: string, attempt: number, feedback = ''): Decision => ({
  do: 'generate',
  model,
  attempt,
  feedback,
})
const finish = (kind: string) => ({ do: 'finish', end: expect.objectContaining({ kind }) })

type Row = [name: string, job: Partial<Job>, steps: Step[], nowMs: number, expected: unknown]

const RULES: Row[] = [
  ['a new job begins with the first model of its chain', {}, [], 0, generate(SMALL, 1)],
  [
    'a local candidate goes to the verifier',
    {},
    [candidate(SMALL)],
    IN_TIME,
    expect.objectContaining({ do: 'verify', model: CLOUD, attempt: 1 }),
  ],
  [
    'a local candidate goes to the verifier of the job, whatever its tier',
    { verifier: 'ollama/judge' },
    [candidate(SMALL)],
    IN_TIME,
    expect.objectContaining({ do: 'verify', model: 'ollama/judge' }),
  ],
  [
    'a cloud candidate is accepted without the verifier',
    { chain: [CLOUD] },
    [candidate(CLOUD)],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'a candidate of a model that the caller named is accepted without the verifier',
    { chain: [SMALL], pinned: true },
    [candidate(SMALL)],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'a skill that trusts its evidence alone needs no verifier',
    { verify: 'evidence' },
    [candidate(SMALL)],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'a skill that trusts the model alone asks the verifier',
    { verify: 'model' },
    [candidate(SMALL)],
    IN_TIME,
    expect.objectContaining({ do: 'verify' }),
  ],
  [
    'an accepted candidate ends the job',
    {},
    [candidate(SMALL), verdict('accepted', 'Good.')],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'a rejection tells the next model what was wrong',
    {},
    [candidate(SMALL), verdict('rejected', 'Line 3 is missed.')],
    IN_TIME,
    generate(LARGE, 2, 'Line 3 is missed.'),
  ],
  [
    'a verifier that gives no verdict escalates, and the reason is the feedback',
    {},
    [candidate(SMALL), noVerdict('timeout_total', 'no answer within 30 s')],
    IN_TIME,
    generate(LARGE, 2, 'the verifier gave no verdict (timeout_total: no answer within 30 s)'),
  ],
  [
    'evidence against a candidate escalates without the verifier, and tells why',
    {},
    [refuted(SMALL, 'a.js:9 is outside the file', 'b.js is no file')],
    IN_TIME,
    generate(LARGE, 2, 'a.js:9 is outside the file; b.js is no file'),
  ],
  [
    'evidence speaks against a cloud model and a named model as well',
    { chain: [CLOUD], pinned: true },
    [refuted(CLOUD, 'b.js is no file')],
    IN_TIME,
    finish('chain_exhausted'),
  ],
  [
    'feedback outlives an attempt that failed before it could use it',
    {},
    [candidate(SMALL), verdict('rejected', 'Line 3 is missed.'), failed(LARGE, 'network')],
    IN_TIME,
    generate(CLOUD, 3, 'Line 3 is missed.'),
  ],
  [
    'only the newest feedback counts',
    {},
    [
      candidate(SMALL),
      verdict('rejected', 'Line 3 is missed.'),
      candidate(LARGE),
      verdict('rejected', 'Line 4 is missed.'),
    ],
    IN_TIME,
    generate(CLOUD, 3, 'Line 4 is missed.'),
  ],
  [
    'a chain whose models are all spent ends the job',
    {},
    [failed(SMALL, 'network'), failed(LARGE, 'network'), failed(CLOUD, 'network')],
    IN_TIME,
    finish('chain_exhausted'),
  ],
  [
    'input that no model can work on ends the job at the first attempt',
    {},
    [badInput(SMALL, '"a.js" does not exist')],
    IN_TIME,
    { do: 'finish', end: { kind: 'bad_input', message: '"a.js" does not exist' } },
  ],
  ['a job that is late before its first attempt ends', {}, [], LATE, finish('past_deadline')],
  [
    'a job that is late between two attempts ends',
    {},
    [failed(SMALL, 'network')],
    LATE,
    finish('past_deadline'),
  ],
  [
    'a candidate is not judged after the deadline',
    {},
    [candidate(SMALL)],
    LATE,
    finish('past_deadline'),
  ],
  [
    'what was accepted counts even when the verdict came late',
    {},
    [candidate(SMALL), verdict('accepted', 'Good.')],
    LATE,
    finish('accepted'),
  ],
  [
    'an accepted patch is applied by the pool that made it',
    { apply: true },
    [candidate(SMALL, { patch: PATCH }), verdict('accepted', 'Good.')],
    IN_TIME,
    expect.objectContaining({ do: 'apply', model: SMALL, attempt: 1 }),
  ],
  [
    'a patch is not applied before the verifier accepted it',
    { apply: true },
    [candidate(SMALL, { patch: PATCH })],
    IN_TIME,
    expect.objectContaining({ do: 'verify' }),
  ],
  [
    'a patch is not applied when the caller does not want it',
    { apply: false },
    [candidate(SMALL, { patch: PATCH }), verdict('accepted', 'Good.')],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'without a patch there is nothing to apply',
    { apply: true },
    [candidate(SMALL), verdict('accepted', 'Good.')],
    IN_TIME,
    finish('accepted'),
  ],
  [
    'applying is tried once, and the job ends whatever came of it',
    { apply: true },
    [
      candidate(SMALL, { patch: PATCH }),
      verdict('accepted', 'Good.'),
      applying(SMALL, 'src/a.js changed meanwhile'),
    ],
    IN_TIME,
    finish('accepted'),
  ],
]

test.each(RULES)('%s', (_, changes, steps, nowMs, expected) => {
  expect(decide(aJob(changes), steps, nowMs)).toEqual(expected)
})

test.each(FAILURES)(
  'a model that fails with %s gives way to the next one, nothing taught',
  (why) => {
    expect(decide(aJob(), [failed(SMALL, why)], IN_TIME)).toEqual(generate(LARGE, 2))
  },
)

test('a candidate that waits for its verdict is no attempt yet', () => {
  expect(attemptsOf(aJob(), [candidate(SMALL)])).toEqual([])
})

test('an attempt lasts from its first token to its verdict and counts the tokens of both', () => {
  const steps = [
    candidate(SMALL, {
      startedAtMs: 1000,
      finishedAtMs: 3000,
      warmStart: false,
      usage: usageOf(10, 2),
    }),
    verdict('accepted', 'Good.', usageOf(30, 4)),
  ]
  expect(attemptsOf(aJob(), steps)).toEqual([
    {
      attempt: 1,
      model: SMALL,
      tier: 'local',
      duration_ms: 4500,
      warm_start: false,
      verified: false,
      verdict: 'accept',
      feedback: 'Good.',
      output_summary: 'Done.',
      runner_output: '',
      usage: usageOf(10, 2),
      verifier_usage: usageOf(30, 4),
    },
  ])
})

test('attempts are numbered from 1, each with its tier, verdict and feedback', () => {
  const steps = [
    refuted(SMALL, 'b.js is no file'),
    candidate(LARGE),
    verdict('rejected', 'Line 3 is missed.'),
    failed(CLOUD, 'overloaded', 'busy'),
  ]
  const rows = attemptsOf(aJob(), steps).map((a) => [a.attempt, a.tier, a.verdict, a.feedback])
  expect(rows).toEqual([
    [1, 'local', 'escalate', 'b.js is no file'],
    [2, 'local', 'escalate', 'Line 3 is missed.'],
    [3, 'subagent', 'error', 'overloaded: busy'],
  ])
})

test('only a test run of the worker makes an attempt verified, and its output is kept', () => {
  const evidence = { ...NO_EVIDENCE, after: testRun('ok 1 - adds') }
  const boast = { message: 'Verified: all tests pass.', verified: true }
  const job = aJob({ verify: 'evidence' })
  expect(attemptsOf(job, [candidate(SMALL, { evidence })])).toMatchObject([
    { verified: true, runner_output: 'ok 1 - adds' },
  ])
  expect(attemptsOf(job, [candidate(SMALL, { output: boast })])).toMatchObject([
    { verified: false, runner_output: '' },
  ])
})

test('a long output and a long run are shortened for the log', () => {
  const evidence = { ...NO_EVIDENCE, after: testRun(`${'x'.repeat(9000)}the end`) }
  const long = candidate(SMALL, { evidence, output: { message: 'm'.repeat(600) } })
  const [attempt] = attemptsOf(aJob({ verify: 'evidence' }), [long])
  expect(attempt!.output_summary).toHaveLength(500)
  expect(attempt!.output_summary.endsWith('…')).toBe(true)
  expect(attempt!.runner_output).toHaveLength(8000)
  expect(attempt!.runner_output.endsWith('the end')).toBe(true)
})

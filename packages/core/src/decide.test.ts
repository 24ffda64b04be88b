import { expect, test } from 'vitest'
import { AFTER_FAILURE } from './after-failure.ts'
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

const byRow = (...rows: string[]) => FAILURES.filter((why) => rows.includes(AFTER_FAILURE[why]))

test.each(byRow('next', 'larger', 'next_or_wait'))(
  'a model that fails with %s gives way to the next one, nothing taught',
  (why) => {
    expect(decide(aJob(), [failed(SMALL, why)], IN_TIME)).toEqual(generate(LARGE, 2))
  },
)

test.each(byRow('wait'))('a model that fails with %s is waited for, then asked again', (why) => {
  const steps = [failed(SMALL, why)]
  const work = generate(SMALL, 1)
  expect(decide(aJob(), steps, 3999)).toEqual({ do: 'wait', untilMs: 4000, reason: why, work })
  expect(decide(aJob(), steps, 4000)).toEqual(work)
})

const busy = (model: string, retryAfterMs?: number) =>
  failed(model, 'rate_limited', 'busy', retryAfterMs)
const due = (untilMs: number) => expect.objectContaining({ do: 'wait', untilMs })

const WAITS: Row[] = [
  ['the server says how long to wait', {}, [busy(SMALL, 9000)], 3000, due(12_000)],
  ['a server that says "at once" is still given a moment', {}, [busy(SMALL, 0)], 3000, due(4000)],
  [
    'each wait is at least twice as long as the one before',
    {},
    [busy(SMALL), busy(SMALL, 1), busy(SMALL)],
    3000,
    due(7000),
  ],
  [
    'a wait longer than an attempt may wait gives the next model its turn',
    {},
    [busy(SMALL, 30_001)],
    3000,
    generate(LARGE, 2),
  ],
  [
    'all waits of an attempt count together',
    {},
    [busy(SMALL, 20_000), busy(SMALL, 10_001)],
    3000,
    generate(LARGE, 2),
  ],
  [
    'the waits of one attempt do not count against the next',
    {},
    [busy(SMALL, 30_001), busy(LARGE, 20_000)],
    3000,
    due(23_000),
  ],
  [
    'a wait past the deadline gives the next model its turn',
    { deadlineAtMs: 10_000 },
    [busy(SMALL, 7000)],
    3000,
    generate(LARGE, 2),
  ],
  [
    'an operator sets how long an attempt may wait',
    { patience: { budgetMs: 50, backoffMs: 10 } },
    [busy(SMALL), busy(SMALL), busy(SMALL)],
    3000,
    generate(LARGE, 2),
  ],
  [
    'a busy verifier is waited for',
    {},
    [candidate(SMALL), noVerdict('overloaded', 'busy')],
    3000,
    {
      do: 'wait',
      untilMs: 4000,
      reason: 'overloaded',
      work: expect.objectContaining({ do: 'verify', model: CLOUD, attempt: 1 }),
    },
  ],
  [
    'a verifier that stays busy escalates, and nothing is accepted unseen',
    { patience: { budgetMs: 10, backoffMs: 10 } },
    [candidate(SMALL), noVerdict('overloaded', 'busy'), noVerdict('overloaded', 'busy')],
    IN_TIME,
    generate(LARGE, 2, 'the verifier gave no verdict (overloaded: busy)'),
  ],
  [
    'what an earlier model taught is kept while a later one is waited for',
    {},
    [refuted(SMALL, 'b.js is no file'), busy(LARGE)],
    IN_TIME,
    generate(LARGE, 2, 'b.js is no file'),
  ],
  [
    'the last model of a chain is waited for while its breaker is open',
    { chain: [SMALL] },
    [failed(SMALL, 'breaker_open', 'down', 5000)],
    3000,
    due(8000),
  ],
  [
    'a breaker that stays open until somebody does something ends the chain',
    { chain: [SMALL] },
    [failed(SMALL, 'breaker_open', 'the key was refused')],
    3000,
    finish('chain_exhausted'),
  ],
  [
    'a breaker that stays open too long ends the chain',
    { chain: [SMALL] },
    [failed(SMALL, 'breaker_open', 'down', 500_000)],
    3000,
    finish('chain_exhausted'),
  ],
]

test.each(WAITS)('%s', (_, changes, steps, nowMs, expected) => {
  expect(decide(aJob(changes), steps, nowMs)).toEqual(expected)
})

const OVERFLOWS: [name: string, contextTokens: Record<string, number>, expected: unknown][] = [
  ['skips models that hold no more', { [SMALL]: 8000, [LARGE]: 8000 }, generate(CLOUD, 2)],
  ['goes to one that holds more', { [SMALL]: 8000, [LARGE]: 16_000 }, generate(LARGE, 2)],
  ['tries a model of which nothing is known', { [SMALL]: 8000 }, generate(LARGE, 2)],
  ['skips nobody while its own size is unknown', { [LARGE]: 8000 }, generate(LARGE, 2)],
  [
    'ends the chain when nobody holds more',
    { [SMALL]: 8000, [LARGE]: 8000, [CLOUD]: 4000 },
    finish('chain_exhausted'),
  ],
]

test.each(OVERFLOWS)('a task too long for one model %s', (_, contextTokens, expected) => {
  const steps = [failed(SMALL, 'context_overflow')]
  expect(decide(aJob({ contextTokens }), steps, IN_TIME)).toEqual(expected)
})

test('calls that were made again are one attempt, which tells of its waits', () => {
  const steps = [
    { ...busy(SMALL, 1500), usage: usageOf(5, 0) },
    candidate(SMALL, { startedAtMs: 4500, finishedAtMs: 6000, usage: usageOf(10, 2) }),
    noVerdict('overloaded', 'busy'),
  ]
  expect(attemptsOf(aJob(), steps)).toEqual([])
  const all = [...steps, verdict('accepted', 'Good.', usageOf(30, 4))]
  expect(attemptsOf(aJob(), all)).toMatchObject([
    {
      attempt: 1,
      model: SMALL,
      duration_ms: 4500,
      verdict: 'accept',
      feedback: 'waited 1.5 s (rate_limited); waited 2 s for the verifier (overloaded); Good.',
      usage: usageOf(15, 2),
      verifier_usage: usageOf(30, 4),
    },
  ])
})

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
      load_ms: null,
      verified: false,
      verdict: 'accept',
      feedback: 'Good.',
      output_summary: 'Done.',
      runner_output: '',
      usage: usageOf(10, 2),
      verifier_usage: usageOf(30, 4),
      cost_usd: null,
      cost_basis: 'unknown',
      verifier_cost_usd: null,
      verifier_cost_basis: 'unknown',
      price_version: null,
    },
  ])
})

test('input that no model can work on is no attempt of the model that was next', () => {
  const steps = [failed(SMALL, 'network'), badInput(LARGE, '"a.js" does not exist')]
  expect(attemptsOf(aJob(), steps)).toMatchObject([{ model: SMALL }])
})

test('attempts are numbered from 1, each with its tier, verdict and feedback', () => {
  const steps = [
    refuted(SMALL, 'b.js is no file'),
    candidate(LARGE),
    verdict('rejected', 'Line 3 is missed.'),
    failed(CLOUD, 'server_error', 'broken'),
  ]
  const rows = attemptsOf(aJob(), steps).map((a) => [a.attempt, a.tier, a.verdict, a.feedback])
  expect(rows).toEqual([
    [1, 'local', 'escalate', 'b.js is no file'],
    [2, 'local', 'escalate', 'Line 3 is missed.'],
    [3, 'subagent', 'error', 'server_error: broken'],
  ])
})

test('only a test run of the worker that was found to prove the work makes an attempt verified', () => {
  const unproved = { ...NO_EVIDENCE, after: testRun('ok 1 - adds') }
  const evidence = { ...unproved, checks: [{ check: 'makes_test_pass', problems: [] }] }
  const boast = { message: 'Verified: all tests pass.', verified: true }
  const job = aJob({ verify: 'evidence' })
  expect(attemptsOf(job, [candidate(SMALL, { evidence })])).toMatchObject([
    { verified: true, runner_output: 'ok 1 - adds' },
  ])
  expect(attemptsOf(job, [candidate(SMALL, { output: boast })])).toMatchObject([
    { verified: false, runner_output: '' },
  ])
  const byModel = [candidate(SMALL, { evidence: unproved }), verdict('accepted', 'Good.')]
  expect(attemptsOf(aJob({ verify: 'model' }), byModel)).toMatchObject([
    { verified: false, runner_output: 'ok 1 - adds' },
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

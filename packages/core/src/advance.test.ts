import { expect, test } from 'vitest'
import { advance, endNow, queueOfStep, type StepRef, stepIdOf } from './advance.ts'
import {
  aJob,
  applying,
  badInput,
  candidate,
  failed,
  PATCH,
  refuted,
  testRun,
  usageOf,
  verdict,
} from './job.fixture.ts'
import type { Job } from './job.ts'
import type { JobResult } from './result.ts'
import type { Step } from './step.ts'

const SMALL = 'ollama/small'
const LARGE = 'ollama/large'
const CLOUD = 'claude-sonnet-4-6'
const NOW = 6000

const step = (changes: Partial<StepRef>): StepRef => ({
  jobId: 'job-1',
  step: 0,
  kind: 'generate',
  model: SMALL,
  attempt: 1,
  of: 3,
  ...changes,
})

type NextRow = [name: string, steps: Step[], record: Step | null, next: StepRef | null]

const NEXT: NextRow[] = [
  ['the first step of a job lets the first model work', [], null, step({})],
  [
    'a candidate is followed by its verification in the queue of the verifier',
    [],
    candidate(SMALL),
    step({ step: 1, kind: 'verify', model: CLOUD }),
  ],
  [
    'a rejection is followed by the next model',
    [candidate(SMALL)],
    verdict('rejected', 'Line 3 is missed.'),
    step({ step: 2, model: LARGE, attempt: 2 }),
  ],
  [
    'a failure is followed by the next model',
    [candidate(SMALL), verdict('rejected', 'No.')],
    failed(LARGE, 'network'),
    step({ step: 3, model: CLOUD, attempt: 3 }),
  ],
  [
    'a busy model is followed by the same one, when its time has come',
    [],
    failed(SMALL, 'rate_limited', 'busy', 9000),
    step({ step: 1, notBeforeMs: 12_000 }),
  ],
  [
    'an accepted candidate is followed by nothing',
    [candidate(SMALL)],
    verdict('accepted', 'Good.'),
    null,
  ],
  [
    'what was recorded but never queued is named again',
    [candidate(SMALL), verdict('rejected', 'No.')],
    null,
    step({ step: 2, model: LARGE, attempt: 2 }),
  ],
]

test.each(NEXT)('%s', (_, steps, record, next) => {
  expect(advance(aJob(), steps, record, NOW).next).toEqual(next)
})

test('an accepted patch is applied by the pool that made it, in a queue of its own', () => {
  const job = aJob({ apply: true })
  const made = candidate(SMALL, { patch: PATCH })
  const { next, end } = advance(job, [made], verdict('accepted', 'Good.'), NOW)
  expect(next).toEqual(step({ step: 2, kind: 'apply' }))
  expect(queueOfStep(next!)).toBe('local-apply')
  expect(end).toBeNull()
})

test('a step has the same queue and the same id whoever names it', () => {
  const next = step({ step: 2, model: 'ollama/qwen3:30b' })
  expect([queueOfStep(next), stepIdOf(next)]).toEqual(['local.qwen3-30b', 'job-1-2'])
})

test('an attempt is told once: when its last step is recorded', () => {
  const [made, rejected] = [candidate(SMALL), verdict('rejected', 'Line 3 is missed.')]
  expect(advance(aJob(), [], made, NOW)).toMatchObject({ attempt: null, events: [] })
  expect(advance(aJob(), [made], rejected, NOW)).toMatchObject({
    attempt: { attempt: 1, model: SMALL, verdict: 'escalate' },
    events: [
      {
        kind: 'judged',
        attempt: 1,
        of: 3,
        model: SMALL,
        tier: 'local',
        warmStart: true,
        durationMs: 4500,
        verdict: 'escalate',
        feedback: 'Line 3 is missed.',
      },
    ],
  })
  expect(advance(aJob(), [made, rejected], null, NOW)).toMatchObject({ attempt: null, events: [] })
})

test('a wait is told when it begins, and is no attempt yet', () => {
  const busy = failed(SMALL, 'rate_limited', 'busy', 9000)
  expect(advance(aJob(), [], busy, NOW)).toMatchObject({
    attempt: null,
    end: null,
    events: [{ kind: 'waiting', model: SMALL, waitMs: 6000, reason: 'rate_limited' }],
  })
  expect(advance(aJob(), [busy], null, NOW).events).toEqual([])
})

test('the end of a job carries its result, its log line and the notice for whoever waits', () => {
  const made = candidate(SMALL, { usage: usageOf(10, 2) })
  const { events, end } = advance(aJob(), [made], verdict('accepted', 'Good.', usageOf(30, 4)), NOW)
  expect(events.map((event) => event.kind)).toEqual(['judged', 'done'])
  expect(end!.result).toMatchObject({
    job_id: 'job-1',
    session_id: 'session-1',
    status: 'pass',
    skill: 'review',
    phase: 'review',
    file_path: '',
    runner_output: '',
    verified: false,
    model_used: SMALL,
    message: 'Done.',
    output: { message: 'Done.' },
    patch: null,
    usage: usageOf(40, 6),
    duration_ms: NOW,
  })
  expect(end!.entry).toEqual({
    session_id: 'session-1',
    job_id: 'job-1',
    principal: 'local',
    timestamp: '1970-01-01T00:00:06.000Z',
    skill: 'review',
    phase: 'review',
    project_root: '/home/me/shop',
    attempts: end!.result.attempts,
    final_status: 'pass',
    file_path: '',
    model_used: SMALL,
    duration_ms: NOW,
    message: 'Done.',
    usage: usageOf(40, 6),
    cost_usd: null,
    unpriced_models: [SMALL, CLOUD],
    baseline_model: null,
    saved_usd_estimate: null,
  })
})

type EndRow = [name: string, job: Partial<Job>, steps: Step[], result: Partial<JobResult>]

const PROVED = {
  checks: [{ check: 'makes_test_pass', problems: [] }],
  before: null,
  after: testRun('ok 1'),
}

const ENDS: EndRow[] = [
  [
    'a spent chain is an error that lists every attempt and says how to go on',
    {},
    [
      refuted(SMALL, 'b.js is no file'),
      failed(LARGE, 'network', 'no answer'),
      refuted(CLOUD, 'no'),
    ],
    {
      status: 'error',
      model_used: '',
      output: null,
      message:
        'all 3 models are spent: ollama/small (escalate: b.js is no file); ollama/large (error: network: no answer); ' +
        'claude-sonnet-4-6 (escalate: no); call again with model set to try one of your choice',
    },
  ],
  [
    'a named model whose work does not hold is a fail, not an error',
    { chain: [SMALL], pinned: true },
    [refuted(SMALL, 'b.js is no file')],
    {
      status: 'fail',
      message:
        'the model is spent: ollama/small (escalate: b.js is no file); leave model out to let the chain escalate',
    },
  ],
  [
    'a named model that cannot be reached is an error',
    { chain: [SMALL], pinned: true },
    [failed(SMALL, 'network')],
    { status: 'error' },
  ],
  [
    'input that no model can work on is an error in its own words',
    {},
    [badInput(SMALL, '"a.js" does not exist in the project')],
    { status: 'error', message: '"a.js" does not exist in the project' },
  ],
  [
    'an accepted output without a message of its own still has a message',
    { verify: 'evidence' },
    [candidate(SMALL, { output: { findings: [] } })],
    { status: 'pass', message: 'review accepted from ollama/small' },
  ],
  [
    'a patch that the caller did not want applied says so',
    { verify: 'evidence', apply: false },
    [candidate(SMALL, { patch: PATCH })],
    {
      status: 'pass',
      file_path: 'src/a.js',
      patch: { ...PATCH, applied: false, reason: 'apply was false' },
    },
  ],
  [
    'a patch that was applied says so',
    { verify: 'evidence', apply: true },
    [candidate(SMALL, { patch: PATCH }), applying(SMALL)],
    { status: 'pass', patch: { ...PATCH, applied: true, reason: null } },
  ],
  [
    'a patch that no longer fits is returned with the reason',
    { verify: 'evidence', apply: true },
    [candidate(SMALL, { patch: PATCH }), applying(SMALL, 'src/a.js changed meanwhile')],
    { status: 'pass', patch: { ...PATCH, applied: false, reason: 'src/a.js changed meanwhile' } },
  ],
  [
    'a result is verified when the worker ran the tests and they prove the work',
    { verify: 'evidence' },
    [candidate(SMALL, { evidence: PROVED })],
    { verified: true, runner_output: 'ok 1' },
  ],
  [
    'a patch for a project that came with the call stays with the caller',
    { verify: 'evidence', apply: false, input: { bundle: [] } },
    [candidate(SMALL, { patch: PATCH })],
    {
      patch: {
        ...PATCH,
        applied: false,
        reason: 'there is no tree to apply it to: the project came with the call',
      },
    },
  ],
]

test.each(ENDS)('%s', (_, changes, steps, result) => {
  const { end } = advance(aJob(changes), steps, null, NOW)
  expect(end!.result).toMatchObject(result)
})

test('a job past its deadline ends with what it has, and says what to do', () => {
  const { end } = advance(aJob(), [failed(SMALL, 'network')], null, 60_000)
  expect(end!.result).toMatchObject({
    status: 'error',
    attempts: [{ model: SMALL, verdict: 'error' }],
    message: 'the job passed its deadline; attempts so far: 1; call again, or with a faster model',
  })
})

test('a job can be ended from outside, whatever stands in its record', () => {
  const ended = endNow(aJob(), [candidate(SMALL)], { kind: 'cancelled' }, NOW)
  expect(ended).toMatchObject({ next: null, attempt: null, events: [{ kind: 'done' }] })
  expect(ended.end).toMatchObject({
    result: { status: 'error', message: 'the job was cancelled', output: null, attempts: [] },
    entry: { final_status: 'error', message: 'the job was cancelled' },
  })
})

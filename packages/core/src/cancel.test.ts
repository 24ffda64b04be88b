import { expect, test } from 'vitest'
import { cancelNow, type Underway } from './cancel.ts'
import { aJob, candidate, PATCH, refuted, verdict } from './job.fixture.ts'

const [SMALL, LARGE] = aJob().chain as [string, string]
const NOW = 9000

function underway(step: number): Underway {
  const event = { kind: 'generating', model: SMALL, attempt: 1, of: 3, tier: 'local' } as const
  return { step, atMs: 4000, event: { ...event, warmStart: false } }
}

test('a job that nobody has begun ends without an attempt', () => {
  const { record, advance } = cancelNow(aJob(), [], null, NOW)!
  expect(record).toBeNull()
  expect(advance).toMatchObject({ attempt: null, next: null, events: [{ kind: 'done' }] })
  expect(advance.end!.result).toMatchObject({ status: 'error', ended: 'cancelled', attempts: [] })
  expect(advance.end!.entry).toMatchObject({ final_status: 'error', attempts: [] })
})

test('a model at work leaves an attempt that says so, from when it began', () => {
  const { record, advance } = cancelNow(aJob(), [refuted(SMALL, 'Wrong.')], underway(1), NOW)!
  expect(record).toMatchObject({ kind: 'generate', model: LARGE, startedAtMs: 4000 })
  expect(advance.attempt).toMatchObject({
    attempt: 2,
    model: LARGE,
    verdict: 'error',
    feedback: 'cancelled: the job was cancelled',
    duration_ms: NOW - 4000,
    warm_start: false,
  })
  expect(advance.end!.result.attempts).toHaveLength(2)
})

test('a step that was begun and is recorded does not count as under way', () => {
  expect(cancelNow(aJob(), [refuted(SMALL, 'Wrong.')], underway(0), NOW)!.record).toBeNull()
})

test('what waited for its verdict is an attempt, whether the verifier had begun or not', () => {
  for (const begun of [null, underway(1)]) {
    const { record, advance } = cancelNow(aJob(), [candidate(SMALL)], begun, NOW)!
    expect(record).toMatchObject({ kind: 'verify', model: aJob().verifier })
    expect(advance.attempt).toMatchObject({
      model: SMALL,
      verdict: 'error',
      output_summary: 'Done.',
      feedback: expect.stringContaining('cancelled'),
    })
  }
})

test('a job past its deadline that was not ended yet still says what it was at', () => {
  const { advance } = cancelNow(aJob(), [], underway(0), aJob().deadlineAtMs + 1)!
  expect(advance.attempt).toMatchObject({ model: SMALL, verdict: 'error' })
})

test('an accepted change on its way into the tree cannot be called back', () => {
  const steps = [candidate(SMALL, { patch: PATCH }), verdict('accepted', 'Good.')]
  expect(cancelNow(aJob({ apply: true }), steps, underway(2), NOW)).toBeNull()
})

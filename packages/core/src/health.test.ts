import { expect, test } from 'vitest'
import { FAILURES } from './failure.ts'
import { HEALTH_AFTER, openedBy } from './health.ts'

const NOW = 1_000_000
const OPEN_MS = 10_000
const sick = { failure: 'network', message: 'gpu-box:8080 cannot be reached' } as const

test('quality is not health: a bad answer comes from a server that is well', () => {
  const well = FAILURES.filter((failure) => HEALTH_AFTER[failure] === 'well')
  expect(well).toEqual([
    'context_overflow',
    'refusal',
    'bad_output',
    'tools_unsupported',
    'loop_limit',
  ])
})

test('a breaker tells why and since when, and stays open twice as long each time in a row', () => {
  const first = openedBy(sick, null, OPEN_MS, NOW)
  expect(first).toEqual({
    reason: 'network',
    message: 'gpu-box:8080 cannot be reached',
    openedAtMs: NOW,
    untilMs: NOW + 10_000,
    trips: 1,
    state: 'open',
  })
  const second = openedBy(sick, first, OPEN_MS, NOW)
  expect(second.untilMs).toBe(NOW + 20_000)
  expect(openedBy(sick, second, OPEN_MS, NOW).untilMs).toBe(NOW + 40_000)
})

test('but never longer than five minutes', () => {
  expect(openedBy(sick, { trips: 30 }, OPEN_MS, NOW).untilMs).toBe(NOW + 300_000)
})

test('a refused key shuts until a worker starts anew', () => {
  const refused = { failure: 'auth', message: 'refused the key' } as const
  expect(openedBy(refused, null, OPEN_MS, NOW).untilMs).toBeNull()
})

test('a spent budget shuts until its date, and for an hour where none is named', () => {
  const spent = { failure: 'budget_exhausted', message: 'spent' } as const
  const dated = { ...spent, retryAfterMs: 86_400_000 }
  expect(openedBy(dated, null, OPEN_MS, NOW).untilMs).toBe(NOW + 86_400_000)
  expect(openedBy(spent, null, OPEN_MS, NOW).untilMs).toBe(NOW + 3_600_000)
})

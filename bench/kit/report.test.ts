import { expect, test } from 'vitest'
import { rowsText, verdictOf } from './report.ts'
import { median, percentile } from './statistics.ts'

test('a figure is ok up to its limit and over beyond it; without a limit it has no verdict', () => {
  const row = { what: 'a', unit: 'ms' }
  expect(verdictOf({ ...row, value: 5, limit: { atMost: 5 } })).toBe('ok')
  expect(verdictOf({ ...row, value: 5.01, limit: { atMost: 5 } })).toBe('over')
  expect(verdictOf({ ...row, value: 0.5, limit: { atLeast: 0.5 } })).toBe('ok')
  expect(verdictOf({ ...row, value: 0.49, limit: { atLeast: 0.5 } })).toBe('over')
  expect(verdictOf({ ...row, value: 1e9 })).toBeNull()
})

test('the figures of a scenario stand below each other', () => {
  const rows = [
    { what: 'time', value: 2.345, unit: 'ms', limit: { atMost: 5 }, note: 'of ten' },
    { what: 'how many', value: 1234, unit: '/s', limit: { atLeast: 2000 } },
    { what: 'share', value: 50, unit: '' },
  ]
  expect(rowsText({ title: 'Title' }, rows)).toBe(
    [
      'Title',
      '  time      2.35  ms  at most 5 ms      ok    of ten',
      '  how many  1234  /s  at least 2000 /s  over',
      '  share     50.0',
    ].join('\n'),
  )
})

test('percentiles are samples, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(median(hundred)).toBe(50)
  expect(percentile(hundred, 0.99)).toBe(99)
  expect(percentile([7], 0.99)).toBe(7)
  expect(() => percentile([], 0.5)).toThrow('no samples')
})

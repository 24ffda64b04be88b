import { describe, expect, it } from 'vitest'
import { FAILURES } from '../failure.ts'
import {
  clip,
  countCall,
  DEFAULT_LIMITS,
  LOOP_STOPS,
  limitReached,
  NOTHING_SPENT,
  type Tally,
} from './limits.ts'

const read = (path: string, first_line = 1) => ({ name: 'read_file', input: { path, first_line } })
const stopOf = (tally: Partial<Tally>, elapsedMs = 0) =>
  limitReached({ ...NOTHING_SPENT, ...tally }, DEFAULT_LIMITS, elapsedMs)?.stop

describe('the limits of an attempt', () => {
  it('each have an ending of their own', () => {
    expect(stopOf({})).toBeUndefined()
    expect(stopOf({ steps: 24 })).toBeUndefined()
    expect(stopOf({ steps: 25 })).toBe('steps')
    expect(stopOf({}, 600_000)).toBe('wall_clock')
    expect(stopOf({ tokens: 500_000 })).toBe('tokens')
    expect(stopOf({ formatErrorsInRow: 3 })).toBe('format_errors')
  })

  it('end a model that makes one call more than three times', () => {
    let tally = NOTHING_SPENT
    for (let i = 0; i < 3; i++) tally = countCall(tally, read('a.ts'), false)
    expect(stopOf(tally)).toBeUndefined()
    expect(stopOf(countCall(tally, read('a.ts'), false))).toBe('repeated_calls')
  })

  it('count anew after an edit', () => {
    let tally = NOTHING_SPENT
    for (let i = 0; i < 3; i++) tally = countCall(tally, read('a.ts'), false)
    tally = countCall(tally, { name: 'write_file', input: { path: 'a.ts' } }, true)
    expect(stopOf(countCall(tally, read('a.ts'), false))).toBeUndefined()
  })

  it('end a model that reads one file again and again, by whatever lines', () => {
    let tally = NOTHING_SPENT
    for (let line = 1; line <= 21; line++) tally = countCall(tally, read('__proto__', line), false)
    expect(stopOf(tally)).toBe('repeated_reads')
  })

  it('lead to failures that the policy knows', () => {
    for (const failure of Object.values(LOOP_STOPS)) {
      expect(failure === null || FAILURES.includes(failure)).toBe(true)
    }
  })
})

describe('clipping', () => {
  it('keeps head and tail and says how much is missing', () => {
    const text = clip(`head${'-'.repeat(10_000)}tail`, 100)
    expect(text).toMatch(/^head-+\n… 9908 characters left out …\n-+tail$/)
    expect(clip('short', 100)).toBe('short')
  })

  it('leaves no half characters behind', () => {
    const text = clip('😀'.repeat(1000), 101)
    expect(text.isWellFormed()).toBe(true)
  })
})

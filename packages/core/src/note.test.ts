import { describe, expect, test } from 'vitest'
import {
  draftProblems,
  identityOf,
  mergeInto,
  type Note,
  type NoteDraft,
  notesAsMaterial,
  slugOf,
  tidied,
} from './note.ts'

const draft = (changes: Partial<NoteDraft> = {}): NoteDraft => ({
  title: 'Retry once',
  content: 'Rebase, then retry the push once.',
  tags: [],
  source: 'job-1',
  ...changes,
})

const note = (changes: Partial<Note> = {}): Note => ({
  title: 'Retry once',
  tags: ['git'],
  created: '2026-01-01T00:00:00.000Z',
  sources: ['job-1'],
  content: 'Rebase, then retry the push once.',
  ...changes,
})

describe('slugOf', () => {
  test.each([
    ['Retry a push once', 'retry-a-push-once'],
    ['../../etc/passwd', 'etc-passwd'],
    ['C:\\Windows\\x', 'c-windows-x'],
    ['  Größe & Ωmega — 再試行 ', 'größe-ωmega-再試行'],
    ['ﬁle names', 'file-names'],
    ['in\u200Bvis\u202Eible', 'invisible'],
    ['a\u0000b', 'a-b'],
    ['...', ''],
    ['🎉🎉', ''],
    ['', ''],
  ])('%j becomes %j', (title, slug) => {
    expect(slugOf(title)).toBe(slug)
  })

  test('a long title is cut at a whole character within the limit', () => {
    const slug = slugOf('é'.repeat(5000))
    expect(new TextEncoder().encode(slug)).toHaveLength(100)
    expect(slug).toBe('é'.repeat(50))
    expect(slugOf('漢'.repeat(50))).toBe('漢'.repeat(33))
  })
})

describe('identityOf', () => {
  test('case, spacing, invisible characters and a final stop make no difference', () => {
    expect(identityOf('  Retry\n ON\u200Bce. ')).toBe(identityOf('retry once'))
  })

  test('other marks do: C, C# and C++ are three things', () => {
    expect(new Set(['C', 'C#', 'C++'].map(identityOf)).size).toBe(3)
  })
})

describe('a draft', () => {
  test('is tidied: single lines, tags as slugs, content without outer blank lines', () => {
    const raw = draft({
      title: ' Two\nlines ',
      content: '\r\n\n  code\r\nmore \n\n',
      tags: ['Git Push', 'git-push', '!!', 'Größe'],
    })
    expect(tidied(raw)).toEqual({
      title: 'Two lines',
      content: '  code\nmore',
      tags: ['git-push', 'größe'],
      source: 'job-1',
    })
  })

  test('keeps zero-width characters of its text, which is data', () => {
    expect(tidied(draft({ content: 'a\u200Bb' })).content).toBe('a\u200Bb')
  })

  test('without faults has no problems', () => {
    expect(draftProblems(draft())).toEqual([])
  })

  test.each([
    ['an empty title', { title: '' }, /^title: must not be empty/],
    ['a title of dots', { title: '...' }, /^title: must not be empty/],
    ['a title of 10 kB', { title: 'x'.repeat(10_240) }, /^title: 10240 characters; at most 200/],
    ['no content', { content: '\u200B' }, /^content: must not be empty/],
    ['too much content', { content: 'é'.repeat(40_000) }, /^content: 80000 bytes; at most 65536/],
    ['too many tags', { tags: Array.from({ length: 21 }, (_, i) => `t${i}`) }, /^tags: 21 of them/],
    ['no source', { source: '' }, /^source: must have/],
  ])('with %s is refused', (_, changes, problem) => {
    expect(draftProblems(draft(changes))).toEqual([expect.stringMatching(problem)])
  })

  test('with a secret is refused by line and kind, without quoting it', () => {
    const secret = ['gh', 'p_', 'Zq3xR7mK9bT2vW8nC4hJ6pL1sD5fG0aYeUiO'].join('')
    const problems = draftProblems(draft({ content: `first\nuse ${secret}` }))
    expect(problems).toEqual([expect.stringMatching(/^content: line 2 looks like a GitHub token/)])
    expect(problems.join()).not.toContain(secret)
  })
})

describe('merging', () => {
  test('unites tags and sources, and appends content that adds something', () => {
    const merged = mergeInto(
      note(),
      draft({ content: 'Fail loudly after that.', tags: ['git', 'ci'], source: 'job-2' }),
    )
    expect(merged.tags).toEqual(['git', 'ci'])
    expect(merged.sources).toEqual(['job-1', 'job-2'])
    expect(merged.content).toBe('Rebase, then retry the push once.\n\nFail loudly after that.')
  })

  test('leaves content alone when it says that already', () => {
    expect(mergeInto(note(), draft({ content: 'retry  the PUSH once' })).content).toBe(
      note().content,
    )
  })

  test('does not mistake a part of a word for the word', () => {
    const merged = mergeInto(note({ content: 'Use notation X' }), draft({ content: 'no' }))
    expect(merged.content).toBe('Use notation X\n\nno')
  })

  test('takes the fuller text when it holds the old one', () => {
    const fuller = 'First: rebase, then retry the push once. Then stop.'
    const old = note({ content: 'rebase, then retry the push once. then' })
    expect(mergeInto(old, draft({ content: fuller })).content).toBe(fuller)
  })
})

test('notes as material name their title and path', () => {
  const text = notesAsMaterial([{ title: 'A', path: 'a.md', content: 'one' }])
  expect(text).toBe('# A (a.md)\n\none')
})

import { describe, expect, it } from 'vitest'
import { editText } from './edit-text.ts'

const CODE = `export function total(items) {
  let sum = 0
  for (const item of items) {
    sum += item.price
  }
  return sum
}
`
const edit = (current: string, oldText: string, newText: string) => {
  const edited = editText(current, oldText, newText)
  return edited.ok ? edited.text : edited.problem
}

describe('editing a text', () => {
  it('replaces the only exact match, and takes new_text literally', () => {
    expect(edit('a b c', 'b', "$& $' $1")).toBe("a $& $' $1 c")
    expect(edit(CODE, '    sum += item.price\n', '')).not.toContain('item.price')
  })

  it('finds lines whose indentation is wrong, and indents the new ones as the file is', () => {
    const text = edit(CODE, 'sum += item.price\n}', 'if (item) {\n  sum += item.price\n}\n}')
    expect(text).toContain('    if (item) {\n      sum += item.price\n    }\n    }\n  return sum')
  })

  it('turns spaces into the tabs of the file', () => {
    const text = edit('if (a) {\n\tb()\n}\n', '    b()', '    b()\n    c()')
    expect(text).toBe('if (a) {\n\tb()\n\tc()\n}\n')
  })

  it('drops line numbers that were copied from a listing', () => {
    expect(edit(CODE, '2|   let sum = 0', '2|   let sum = 1')).toBe(CODE.replace('= 0', '= 1'))
  })

  it('keeps CRLF line ends', () => {
    expect(edit('a\r\nb\r\nc\r\n', 'a\nb', 'a\nx')).toBe('a\r\nx\r\nc\r\n')
  })

  it('leaves mixed line ends alone outside of the passage', () => {
    expect(edit('a\r\nb\nc\n', 'b\n', 'x\n')).toBe('a\r\nx\nc\n')
  })

  it.each([
    ['two exact matches', 'a\nb\na\n', 'a', 'stands at 2 places (lines 1, 3)'],
    ['two matches in one line', 'x = a + a', 'a', 'stands at 2 places (lines 1, 1)'],
    ['two matches but for space', ' a\nb\n\ta\nb\n', 'a\nb ', 'stands at 2 places (lines 1, 3)'],
    ['nothing to look for', 'a', ' \n', 'old_text is empty'],
    ['nothing to change', 'a', 'z', 'are the same'],
  ])('refuses %s', (_, current, oldText, problem) => {
    expect(edit(current, oldText, 'z')).toContain(problem)
  })

  it('shows the nearest passage when nothing matches', () => {
    const problem = edit(CODE, 'for (const item of items) {\n  sum += item.cost\n}', 'x')
    expect(problem).toContain('does not stand in the file')
    expect(problem).toContain('3|   for (const item of items) {\n4|     sum += item.price')
  })
})

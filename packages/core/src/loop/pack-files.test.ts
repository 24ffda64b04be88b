import { expect, it } from 'vitest'
import { packFiles } from './pack-files.ts'

const file = (path: string, lines: number) => ({
  path,
  text: 'twenty characters..\n'.repeat(lines),
})

it('leaves files whole that fit into their part of the context', () => {
  const files = [file('a', 10), file('b', 100)]
  expect(packFiles(files, 32_768)).toEqual(files)
})

it('gives large files what small ones leave, cuts after a line and says how to read the rest', () => {
  const [small, large, huge] = packFiles([file('s', 10), file('l', 5000), file('h', 9000)], 10_000)
  expect(small).toEqual(file('s', 10))
  for (const [cut, lines] of [
    [large, 5000],
    [huge, 9000],
  ] as const) {
    expect(cut!.text.length).toBeLessThan(12_100)
    expect(cut!.text.length).toBeGreaterThan(11_500)
    expect(cut!.text).toMatch(
      /\ntwenty characters\.\.\n\(lines \d+ to \d+ left out to save room: use read_file\)$/,
    )
    expect(cut!.text).toContain(`to ${lines} left out`)
  }
})

it('names a file of one endless line without showing it', () => {
  const [cut] = packFiles([{ path: 'bundle.js', text: 'x'.repeat(100_000) }], 1000)
  expect(cut!.text).toBe('(lines 1 to 1 left out to save room: use read_file)')
})

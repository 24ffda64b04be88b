import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Coloured only where colours are shown. */
export function style(name: Style, text: string): string {
  return styleText(name, text, { stream: process.stdout })
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Columns that line up, two spaces apart; numbers to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const all = [head, ...rows].map((row) => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const isNumeric = head.map((_, column) => rows.every((row) => typeof row[column] === 'number'))
  return all
    .map((row) =>
      row
        .map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Words in lines of at most `width` characters, each begun with `indent`. */
export function wrapped(text: string, indent: string, width = 100): string {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length + 1 > width && line.trim() !== '') {
      lines.push(line)
      line = indent
    }
    line += line.trim() === '' ? word : ` ${word}`
  }
  return [...lines, line].join('\n')
}

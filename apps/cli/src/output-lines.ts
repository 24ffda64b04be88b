import type { JobResult } from '@hyperguild/core/result.ts'

/** A skill's answer as short lines for people: a line per finding, criterion, lesson or other item. */
export function outputLines({ output }: Pick<JobResult, 'output'>): string[] {
  return Object.entries(output ?? {})
    .filter(([name]) => name !== 'message')
    .flatMap(([name, value]) => linesOf(name, value))
}

function linesOf(name: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.map((item) => `${name}: ${textOf(item)}`)
  return [`${name}: ${textOf(value)}`]
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const { file, line, ...rest } = value as Record<string, unknown>
  const place = file === undefined ? '' : line === undefined ? `${file} ` : `${file}:${line} `
  const words = ['severity', 'reason', 'why', 'description'].flatMap((key) =>
    rest[key] === undefined ? [] : [String(rest[key])],
  )
  return `${place}${words.length > 0 ? words.join(': ') : JSON.stringify(rest)}`
}

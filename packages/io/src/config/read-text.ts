import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Validation } from '@hyperguild/core/json-schema.ts'

/** A configuration file's text with plain line ends; one problem with the next step when it cannot be read. */
export function readText(path: string, nextStep: string): Validation<string> {
  try {
    return {
      ok: true,
      value: readFileSync(path, 'utf8')
        .replace(/^\uFEFF/, '')
        .replace(/\r\n/g, '\n'),
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const what = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`
    return { ok: false, problems: [`${shownPath(path)}: ${what}; ${nextStep}`] }
  }
}

/** The path as messages show it: relative to the working directory when it lies in it. */
export function shownPath(path: string): string {
  const inside = relative(process.cwd(), path)
  return inside === '' || inside.startsWith('..') ? path : inside
}

import type { TestCase } from '../evidence.ts'

/** How suites and tests are joined to one name, whatever the runner prints. */
export function joinName(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' > ')
}

const FAILURE_CHARACTERS = 600

export function shortenFailure(text: string): string {
  const plain = stripColours(text).trim()
  return plain.length > FAILURE_CHARACTERS ? `${plain.slice(0, FAILURE_CHARACTERS)}…` : plain
}

export function stripColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
}

export function passed(name: string, file: string | null = null): TestCase {
  return { name, file, status: 'passed', failure: null }
}

export function skipped(name: string, file: string | null = null): TestCase {
  return { name, file, status: 'skipped', failure: null }
}

export function failed(name: string, failure: string, file: string | null = null): TestCase {
  return { name, file, status: 'failed', failure: shortenFailure(failure) || 'failed' }
}

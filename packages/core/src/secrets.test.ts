import { expect, test } from 'vitest'
import { secretsIn } from './secrets.ts'

// Put together here so that no scanner takes this file for a leak.
const made = (...parts: string[]) => parts.join('')
const letters = 'Zq3xR7mK9bT2vW8nC4hJ6pL1sD5fG0aYeUiO'

test.each([
  ['a private key', made('-----BEGIN OPENSSH ', 'PRIVATE KEY-----')],
  ['a private key', made('-----BEGIN ', 'PRIVATE KEY-----')],
  ['an age key', made('AGE-SECRET-', 'KEY-1', 'Q'.repeat(58))],
  ['an AWS access key', made('AK', 'IA', 'IOSFODNN7EXAMPLE')],
  ['a GitHub token', made('gh', 'p_', letters)],
  ['a GitLab token', made('gl', 'pat-', letters)],
  ['a Slack token', made('xo', 'xb-', letters)],
  ['an Anthropic key', made('sk', '-ant-', letters)],
  ['an OpenAI key', made('sk', '-', letters)],
  ['a Google API key', made('AI', 'za', letters.slice(0, 35))],
  ['a Stripe key', made('sk', '_live_', letters)],
  ['an npm token', made('np', 'm_', letters)],
  ['a Hugging Face token', made('h', 'f_', letters)],
  ['a JSON web token', made('ey', 'J', letters, '.ey', 'J', letters, '.', letters)],
  ['a bearer token', made('authorization: ', 'Bearer ', letters)],
])('%s is found on its line', (kind, secret) => {
  const found = secretsIn(`first line\nkey = "${secret}" # keep`)
  expect(found).toEqual([{ kind, line: 2, value: secret }])
})

test('every secret of a text is found', () => {
  const key = made('AK', 'IA', 'IOSFODNN7EXAMPLE')
  expect(secretsIn(`${key} ${key}\n${key}`).map(({ line }) => line)).toEqual([1, 1, 2])
})

test('a zero-width character inside a secret does not hide it', () => {
  expect(secretsIn(made('AK', '\u200BIA', 'IOSFODNN7EXAMPLE'))).toHaveLength(1)
})

test.each([
  'password: hunter2',
  'the sk-learn-pipeline-with-a-very-long-name-in-kebab-case',
  'read the key from ANTHROPIC_API_KEY, such as sk-ant-…',
  '-----BEGIN PUBLIC KEY-----',
  'Authorization: Bearer $TOKEN',
  'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
])('%s is no secret', (text) => {
  expect(secretsIn(text)).toEqual([])
})

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readEnvironment } from '../config/environment.ts'

const LOGGER = fileURLToPath(new URL('logger.ts', import.meta.url))

/** What a process of its own writes to stderr when it logs one object. */
function lineFor(logged: unknown): { text: string; fields: Record<string, unknown> } {
  const script = `
    import { createLogger } from ${JSON.stringify(LOGGER)}
    const logged = ${JSON.stringify(logged)}
    createLogger('test', 'info').info(logged.error ? { err: new Error(logged.error) } : logged, 'event_named')`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(run.status, run.stderr).toBe(0)
  expect(run.stdout).toBe('')
  return { text: run.stderr, fields: JSON.parse(run.stderr) }
}

test('a line is JSON with the name of the process, the event and its fields', () => {
  const { fields } = lineFor({ job: 'job-1', step: 2, inputTokens: 7, model: 'ollama/small' })
  expect(fields).toMatchObject({
    name: 'test',
    level: 30,
    msg: 'event_named',
    job: 'job-1',
    step: 2,
    inputTokens: 7,
    model: 'ollama/small',
  })
})

test('no key of the environment appears, however deep it lies', () => {
  const environment = readEnvironment({
    REDIS_URL: 'redis://hg:hunter2@valkey:6379',
    LITELLM_API_KEY: 'hunter2 "quoted" \\',
    ANTHROPIC_API_KEY: 'hunter2',
    CLAUDE_CODE_OAUTH_TOKEN: 'hunter2',
  })
  const { text, fields } = lineFor({ a: { b: { environment } } })
  expect(text).not.toContain('hunter2')
  expect(fields).toMatchObject({
    a: { b: { environment: { port: 3200, litellmApiKey: '[hidden]' } } },
  })
  expect(text).toContain('redis://hg:[hidden]@valkey:6379')
})

test.each([
  { headers: { Authorization: 'Bearer hunter2', 'x-api-key': 'hunter2', Cookie: 'hunter2' } },
  { list: [{ token: 'hunter2' }, { accessToken: 'hunter2' }, { client_secret: 'hunter2' }] },
  { error: 'connect ECONNREFUSED redis://:hunter2@valkey:6379' },
])('$0 shows no secret', (logged) => {
  expect(lineFor(logged).text).not.toContain('hunter2')
})

test('what has the shape of a key is hidden under any name', () => {
  const key = `sk-ant-api03-${'Ab1'.repeat(20)}`
  expect(lineFor({ note: `the key is ${key}!` }).fields.note).toBe('the key is [hidden]!')
  expect(lineFor({ error: `401 for ${key}` }).text).not.toContain(key)
})

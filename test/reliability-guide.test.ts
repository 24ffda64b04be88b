import { existsSync, readFileSync } from 'node:fs'
import { connectRedis } from '@hyperguild/io/queue/redis.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { keysOf } from './leftovers.ts'
import { startTestFleet } from './test-fleet.ts'

const GUIDE = readFileSync('docs/reliability.md', 'utf8')

test('every test that the guide names is there', () => {
  const named = [...GUIDE.matchAll(/`([\w./-]+\.test\.ts)`: \*([^*]+)\*/g)].map(
    ([, file, name]) => ({ file: file!, name: name!.replaceAll(/\s+/g, ' ') }),
  )
  expect(named.length).toBeGreaterThan(35)
  const missing = named.filter(
    ({ file, name }) => !existsSync(file) || !readFileSync(file, 'utf8').includes(`'${name}'`),
  )
  expect(missing).toEqual([])
})

/** The rows of the table of keys: what each key looks like, and whether Redis removes it by itself. */
const ROWS = GUIDE.slice(GUIDE.indexOf('### Every key in Redis'), GUIDE.indexOf('## What is not'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [, keys, , bound] = line.split('|').map((cell) => cell.trim())
    return [...keys!.matchAll(/`([^`]+)`/g)].map(([, key]) => ({
      pattern: patternOf(key!),
      expires: bound!.startsWith('expires'),
    }))
  })

function patternOf(key: string): RegExp {
  const step = '[0-9a-f-]{36}-\\d+'
  const text = key.replaceAll('<step>', step).replaceAll(/<\w+>/g, '[^:]+')
  return new RegExp(`^${text}$`)
}

test('every key of a fleet is in the table of the guide, and expires where that says so', async () => {
  const fleet = await startTestFleet({
    chains: 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n',
    environment: { HYPERGUILD_SANDBOX: 'none' },
    script: `
rules:
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
  - { skill: review, times: 1, answer: { message: A., findings: [] } }
  - { hang: true }
`,
  })
  const project_root = await fleet.writeProject({ 'cart.js': '' })
  const review = (context: string, wait_seconds: number) =>
    fetch(`${fleet.url}/v1/skills/review`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        project_root,
        files: ['cart.js'],
        session_id: 's',
        context,
        wait_seconds,
      }),
    })
  expect((await review('is done', 30)).status).toBe(200)
  expect((await review('goes on', 0)).status).toBe(202)
  await fleet.models.waitForCall((call) => call.promptText.includes('goes on'))

  const redis = connectRedis(inject('redisUrl'), 'guide-test', 'wait')
  onTestFinished(() => redis.disconnect())
  const keys = await keysOf(fleet)
  expect(keys.length).toBeGreaterThan(30)
  for (const key of keys) {
    const name = key.slice(`{${fleet.redisPrefix}}:`.length)
    const row = ROWS.find(({ pattern }) => pattern.test(name))
    expect(row, `${name} is not in the table`).toBeDefined()
    const ttlMs = await redis.pttl(key)
    // It may have expired since.
    if (row!.expires) expect(ttlMs, `${name} should expire`).not.toBe(-1)
  }
})

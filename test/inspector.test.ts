import { execFile } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { installPackage } from './install-package.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0'
const program = await installPackage(INSPECTOR, 'clients/launcher/build/index.js')

const SCRIPT = `
rules:
  - { skill: review, answer: { message: Nothing to complain about., findings: [] } }
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
`

/** Runs the inspector's command line against a gateway; its home is the test's own. */
function inspect({ url, folder }: TestFleet, ...args: string[]) {
  const all = [program!, '--cli', `${url}/mcp`, '--transport', 'http', '--format', 'json', ...args]
  const env = { PATH: process.env.PATH, HOME: folder }
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, all, { env, maxBuffer: 10_000_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    )
  })
}

describe.skipIf(program === null)(`the command line of ${INSPECTOR}`, () => {
  test.each(['modern', 'legacy'])(
    'lists tools without a complaint and calls one, in the %s era',
    async (era) => {
      const fleet = await startTestFleet({
        script: SCRIPT,
        environment: { HYPERGUILD_SANDBOX: 'none' },
      })
      const inEra = ['-q', '--protocol-era', era, '--method']
      const listed = await inspect(fleet, ...inEra, 'tools/list', '--strict')
      expect(listed).toMatchObject({ code: 0, err: '' })
      const names = JSON.parse(listed.out).result.tools.map(({ name }: { name: string }) => name)
      expect(names).toEqual(expect.arrayContaining(['tdd_red', 'review', 'job_wait']))

      const project_root = await fleet.writeProject({ 'a.js': 'a()\n' })
      const input = JSON.stringify({ project_root, files: ['a.js'] })
      const called = await inspect(
        fleet,
        ...[...inEra, 'tools/call', '--tool-name', 'review', '--tool-args-json', input],
      )
      expect(called).toMatchObject({ code: 0, err: '' })
      expect(JSON.parse(called.out).result.structuredContent).toMatchObject({
        status: 'pass',
        message: 'Nothing to complain about.',
      })
      const wrong = JSON.stringify({ project_root })
      const refused = await inspect(
        fleet,
        ...[...inEra, 'tools/call', '--tool-name', 'review', '--tool-args-json', wrong],
      )
      expect(refused.code).not.toBe(0)
      expect(refused.out + refused.err).toContain('review: files: is missing; give an array')
    },
    60_000,
  )

  test('finds the disciplines to be what the skills extension asks for', async () => {
    const fleet = await startTestFleet({ script: SCRIPT, pools: [] })
    const verified = await inspect(
      fleet,
      ...['--protocol-era', 'modern', '--method', 'skills/list', '--verify'],
    )
    expect(verified.code).toBe(0)
    expect(verified.err).toMatch(/Verified \d+ skills and \d+ files: no conformance errors/)
  }, 60_000)
})

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '@hyperguild/io/process/find-program.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startTestFleet } from './test-fleet.ts'

// What docs/guides/rest-and-auth.md tells people to type is typed here, word for word.

const guide = await readFile('docs/guides/rest-and-auth.md', 'utf8')
const blocks = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text!)
const STAND_IN = resolve('test/curl-stand-in.ts')
const SCRIPT = `
rules:
  - { skill: review, answer: { message: Nothing to complain about., findings: [] } }
  - { skill: verifier, answer: { accept: true, feedback: Fine. } }
`

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-guide-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

/** Runs a command of the guide in a shell; resolves with what it printed. */
async function type(command: string, environment: Record<string, string | undefined>) {
  const env = { ...process.env, ...environment }
  const { stdout } = await promisify(execFile)('sh', ['-euc', command], { env })
  return stdout
}

/** A folder whose `curl` is our stand-in. */
async function placeStandIn(): Promise<string> {
  const folder = await makeFolder()
  const script = `#!/bin/sh\nexec '${process.execPath}' '${STAND_IN}' "$@"\n`
  await writeFile(join(folder, 'curl'), script, { mode: 0o755 })
  return folder
}

/** A gateway that knows the token which the guide's first command made. */
async function startGuarded() {
  const tokensFile = join(await makeFolder(), 'tokens.yaml')
  const made = blocks.find((block) => block.startsWith('TOKEN='))!
  const token = await type(`${made}printf %s "$TOKEN"`, { HYPERGUILD_TOKENS_FILE: tokensFile })
  const environment = { HYPERGUILD_TOKENS_FILE: tokensFile, HYPERGUILD_SANDBOX: 'none' }
  const fleet = await startTestFleet({ script: SCRIPT, environment })
  const files = { 'src/cart.js': 'cart()\n', 'src/stock.js': 'stock()\n' }
  return { fleet, token, project: await fleet.writeProject(files) }
}

/** What each command that calls the gateway prints, in the order of the guide. */
const PRINTED = [
  /^\{.*"session_id":"tuesday".*"status":"pass"/,
  /^HTTP\/1\.1 202[\s\S]*\r\nlocation: \/v1\/jobs\/[\w-]+\r\n[\s\S]*"status":"running"/i,
  /^event: done\ndata: \{.*"status":"pass"/m,
  /^\{.*"status":"pass"/,
  /^\{"cancelled":false/,
  /^\{"jobs":\[\{"job_id".*\{"job_id"/,
  /^\{"session_id":"tuesday","entries":\[\{/,
  /^\{"type":"urn:hyperguild:problem:unknown_skill","title":"No such skill","status":404,"detail":"there is no skill \\"reveiw\\"/,
  /"structuredContent":\{.*"resultType":"complete"/,
  /^event: message\ndata: \{.*"name":"review"/m,
]

describe.each([
  ['curl', findProgram('curl') !== null],
  ['the stand-in for curl', true],
])('with %s', (name, isThere) => {
  test.skipIf(!isThere)('every command of the guide to REST does what it says', async () => {
    const { fleet, token, project } = await startGuarded()
    const folder = name === 'curl' ? '' : await placeStandIn()
    const variables = {
      GUILD: fleet.url,
      TOKEN: token,
      JOB: '',
      PATH: [folder, process.env.PATH].filter(Boolean).join(delimiter),
    }
    const commands = blocks.filter((block) => block.startsWith('curl '))
    expect(commands).toHaveLength(PRINTED.length)
    for (const [index, command] of commands.entries()) {
      const printed = await type(command.replace('/srv/shop', project), variables)
      expect(printed, command).toMatch(PRINTED[index]!)
      variables.JOB = /"job_id":"([\w-]+)"/.exec(printed)?.[1] ?? variables.JOB
    }
  })
})

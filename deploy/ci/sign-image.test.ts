import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { environmentIn, makeFolder, startScript } from './sandbox.fixture.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`

/** Signs where `sh` is the only program, besides a stand-in for cosign that notes how it was called. */
async function sign(environment: Record<string, string>, cosign?: string) {
  const folder = makeFolder()
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(
    execFileSync('sh', ['-c', 'command -v sh'], { encoding: 'utf8' }).trim(),
    join(bin, 'sh'),
  )
  if (cosign) writeFileSync(join(bin, 'cosign'), `#!/bin/sh\n${cosign}\n`, { mode: 0o755 })
  const env = { ...environmentIn(folder), ...environment, PATH: bin, NOTES: join(folder, 'notes') }
  const run = await startScript('sign-image.sh', ['registry.example.org/acme/api', DIGEST], {
    cwd: folder,
    env,
  }).run
  return { ...run, notes: () => readFileSync(env.NOTES, 'utf8') }
}

test('without a key the image stays unsigned, and that is said', async () => {
  const { exitCode, stdout } = await sign({})
  expect(exitCode).toBe(0)
  expect(stdout).toContain('stays unsigned')
})

test('with a key the digest is signed, and the key is not among the arguments', async () => {
  const { exitCode, notes } = await sign({ COSIGN_PRIVATE_KEY: 'secret' }, 'echo "$@" >"$NOTES"')
  expect(exitCode).toBe(0)
  expect(notes()).toContain(
    `--key env://COSIGN_PRIVATE_KEY registry.example.org/acme/api@${DIGEST}`,
  )
  expect(notes()).not.toContain('secret')
})

test.each([
  ['cosign is missing', undefined],
  ['cosign fails', 'exit 7'],
])('with a key it fails where %s', async (_, cosign) => {
  expect((await sign({ COSIGN_PRIVATE_KEY: 'secret' }, cosign)).exitCode).not.toBe(0)
})

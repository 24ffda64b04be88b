import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { environmentIn, leftIn, makeFolder, startScript } from './sandbox.fixture.ts'

const SECRETS = { SSH_KEY: 'the key', KNOWN_HOSTS: 'git.example.org ssh-ed25519 AAAA' }

function start(command: string, secrets: Record<string, string> = SECRETS) {
  const folder = makeFolder()
  const tmp = join(folder, 'tmp')
  mkdirSync(tmp)
  const env = { ...environmentIn(tmp), ...secrets }
  return { tmp, ...startScript('with-ssh-key.sh', ['sh', '-c', command], { cwd: folder, env }) }
}

test("the command's git uses the key and refuses hosts that are not pinned", async () => {
  const { run } = start(
    'echo "$GIT_SSH_COMMAND"; cat "$TMPDIR"/*/key "$TMPDIR"/*/known_hosts; stat -c %a "$TMPDIR"/*/key',
  )
  const { exitCode, stdout } = await run
  expect(exitCode).toBe(0)
  const [command, ...rest] = stdout.trimEnd().split('\n')
  expect(command).toMatch(/^ssh -F none -i \S+\/key /)
  expect(command).toContain('-o StrictHostKeyChecking=yes')
  expect(command).toMatch(/-o UserKnownHostsFile=\S+\/known_hosts -o GlobalKnownHostsFile=none$/)
  expect(rest).toEqual([SECRETS.SSH_KEY, SECRETS.KNOWN_HOSTS, '600'])
})

test('the command does not find the key in its environment', async () => {
  expect(await start('echo "$SSH_KEY$KNOWN_HOSTS"').run).toMatchObject({ stdout: '\n' })
})

test.each([
  ['succeeds', 'true', 0],
  ['fails', 'exit 3', 3],
])('the key is gone when the command %s', async (_, command, exitCode) => {
  const { run, tmp } = start(command)
  expect(await run).toMatchObject({ exitCode })
  expect(leftIn(tmp)).toEqual([])
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const)('the key and the command are gone after %s', async (signal, exitCode) => {
  const { run, tmp, firstOutput, kill } = start('echo started; exec sleep 600')
  await firstOutput
  kill(signal)
  expect(await run).toMatchObject({ exitCode })
  expect(leftIn(tmp)).toEqual([])
})

test.each(['SSH_KEY', 'KNOWN_HOSTS'])('without %s nothing is run', async (name) => {
  const { run, tmp } = start('echo ran', { ...SECRETS, [name]: '' })
  const { exitCode, stdout, stderr } = await run
  expect(exitCode).not.toBe(0)
  expect(stdout).toBe('')
  expect(stderr).toContain(name)
  expect(leftIn(tmp)).toEqual([])
})

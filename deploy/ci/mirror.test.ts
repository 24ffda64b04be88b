import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { environmentIn, makeFolder, startScript } from './sandbox.fixture.ts'

function makeClone() {
  const folder = makeFolder()
  const env = environmentIn(folder)
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: folder, env, encoding: 'utf8' }).trim()
  git('init', '-q', '--initial-branch=main', 'ours')
  git('init', '-q', '--bare', 'mirror.git')
  git('-C', 'ours', 'commit', '-q', '--allow-empty', '-m', 'one')
  git('-C', 'ours', 'commit', '-q', '--allow-empty', '-m', 'two')
  const mirror = (cwd: string, MIRROR_REPO: string) =>
    startScript('mirror.sh', [], { cwd: join(folder, cwd), env: { ...env, MIRROR_REPO } }).run
  return { git, mirror, remote: join(folder, 'mirror.git') }
}

test('the branch and the annotated tags on it arrive, other tags stay at home', async () => {
  const { git, mirror, remote } = makeClone()
  git('-C', 'ours', 'tag', '-a', 'v1', '-m', 'release', 'HEAD~1')
  git('-C', 'ours', 'tag', 'private')
  expect(await mirror('ours', remote)).toMatchObject({ exitCode: 0 })
  expect(git('-C', remote, 'rev-parse', 'main')).toBe(git('-C', 'ours', 'rev-parse', 'HEAD'))
  expect(git('-C', remote, 'tag', '--list')).toBe('v1')
})

test('without a mirror nothing is done', async () => {
  const { mirror } = makeClone()
  expect(await mirror('ours', '')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing to do'),
  })
})

test('a shallow clone is refused, and so is a mirror that has gone another way', async () => {
  const { git, mirror, remote } = makeClone()
  git('clone', '-q', '--depth=1', `file://${join(remote, '../ours')}`, 'shallow')
  expect(await mirror('shallow', remote)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('shallow'),
  })
  await mirror('ours', remote)
  git('-C', 'ours', 'commit', '-q', '--amend', '--allow-empty', '-m', 'another two')
  expect(await mirror('ours', remote)).toMatchObject({ exitCode: 1 })
})

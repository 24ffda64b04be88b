import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readNamedFiles, readProjectFile, resolveUnderRoots } from './roots.ts'

let base: string
let root: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'hyperguild-roots-')))
  root = join(base, 'projects')
  mkdirSync(join(root, 'shop/src'), { recursive: true })
  mkdirSync(join(base, 'private'))
  writeFileSync(join(base, 'private/key'), 'secret')
  writeFileSync(join(root, 'shop/src/cart.ts'), 'export const cart = []\n')
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

const problemOf = (result: { ok: boolean; problem?: string }) => (result.ok ? '' : result.problem)

describe('resolving a project root', () => {
  it('accepts a root itself and what lies under it', async () => {
    expect(await resolveUnderRoots([root], root)).toEqual({ ok: true, realPath: root })
    expect(await resolveUnderRoots([root], `${root}/shop/`)).toEqual({
      ok: true,
      realPath: join(root, 'shop'),
    })
  })

  it('accepts a link whose target is under a root', async () => {
    symlinkSync(join(root, 'shop'), join(base, 'alias'))
    expect(await resolveUnderRoots([root], join(base, 'alias'))).toEqual({
      ok: true,
      realPath: join(root, 'shop'),
    })
  })

  it('refuses what is outside, by .., by link, by a name that only begins alike, existing or not', async () => {
    symlinkSync(join(base, 'private'), join(root, 'link'))
    mkdirSync(`${root}-old`)
    const outside = [
      join(base, 'private'),
      `${root}/../private`,
      join(root, 'link'),
      `${root}-old`,
      '/no/such/place',
    ]
    for (const path of outside) {
      const problem = problemOf(await resolveUnderRoots([root], path))
      expect(problem, path).toContain('outside the allowed roots')
      expect(problem).toContain(JSON.stringify(path))
      expect(problem).toContain('HYPERGUILD_ROOTS')
    }
  })

  it('says what is wrong with a missing, relative or plain-file path', async () => {
    const of = async (path: string) => problemOf(await resolveUnderRoots([root], path))
    expect(await of(join(root, 'shoop'))).toContain('does not exist')
    expect(await of('shop')).toContain('absolute path')
    expect(await of(`${root}/sh\0op`)).toContain('absolute path')
    expect(await of(join(root, 'shop/src/cart.ts'))).toContain('not a directory')
  })

  it('says how to allow directories when none is allowed', async () => {
    expect(problemOf(await resolveUnderRoots([], root))).toContain('set HYPERGUILD_ROOTS')
  })

  it('names roots that do not exist', async () => {
    expect(problemOf(await resolveUnderRoots(['/no/such/root'], root))).toContain('/no/such/root')
  })
})

describe('reading a project file', () => {
  const read = (path: string, maxBytes = 1000) =>
    readProjectFile(join(root, 'shop'), path, maxBytes)

  it('gives its text', async () => {
    expect(await read('src/cart.ts')).toEqual({ ok: true, text: 'export const cart = []\n' })
    expect(await read('./src/cart.ts')).toEqual({ ok: true, text: 'export const cart = []\n' })
  })

  it('follows a link that stays inside and refuses one that leaves', async () => {
    symlinkSync('src/cart.ts', join(root, 'shop/inside'))
    symlinkSync('../../private/key', join(root, 'shop/outside'))
    symlinkSync('../../private', join(root, 'shop/folder'))
    expect((await read('inside')).ok).toBe(true)
    expect(problemOf(await read('outside'))).toContain('leads out of the project')
    expect(problemOf(await read('folder/key'))).toContain('leads out of the project')
  })

  it('refuses absolute paths, .. and version control, also through a link', async () => {
    mkdirSync(join(root, 'shop/.git'))
    writeFileSync(join(root, 'shop/.git/config'), '[core]')
    symlinkSync('.git/config', join(root, 'shop/harmless'))
    expect(problemOf(await read(join(root, 'shop/src/cart.ts')))).toContain(
      'relative to the project',
    )
    expect(problemOf(await read('src/../../../private/key'))).toContain('".."')
    expect(problemOf(await read('.git/config'))).toContain('version control')
    expect(problemOf(await read('.GIT/config'))).toContain('version control')
    expect(problemOf(await read('harmless'))).toContain('version control')
  })

  it('suggests a near name for a missing file', async () => {
    writeFileSync(join(root, 'shop/src/order.test.ts'), '')
    expect(problemOf(await read('src/card.ts'))).toContain('did you mean "src/cart.ts"?')
    expect(problemOf(await read('cart.ts'))).toContain('did you mean "src/cart.ts"?')
    expect(problemOf(await read('src/Order.Test.ts'))).toContain('"src/order.test.ts"')
    expect(problemOf(await read('docs/unrelated.md'))).not.toContain('did you mean')
  })

  it('refuses directories, pipes, binary and too large files, and says the sizes', async () => {
    const shop = join(root, 'shop')
    writeFileSync(join(shop, 'logo.png'), Buffer.from([0x89, 0x50, 0, 1]))
    writeFileSync(join(shop, 'latin1.txt'), Buffer.from([0x63, 0x61, 0x66, 0xe9]))
    writeFileSync(join(shop, 'big.txt'), 'x'.repeat(1001))
    execFileSync('mkfifo', [join(shop, 'pipe')])
    expect(problemOf(await read('src'))).toContain('is a directory')
    expect(problemOf(await read('pipe'))).toContain('not a regular file')
    expect(problemOf(await read('logo.png'))).toContain('binary')
    expect(problemOf(await read('latin1.txt'))).toContain('UTF-8')
    expect(problemOf(await read('big.txt'))).toMatch(/1001 bytes.*limit is 1000/)
  })

  it.skipIf(process.getuid?.() === 0)('says that a file cannot be opened', async () => {
    chmodSync(join(root, 'shop/src/cart.ts'), 0)
    expect(problemOf(await read('src/cart.ts'))).toContain('permissions')
  })
})

it('reads named files in order, each once, and gathers the problems', async () => {
  writeFileSync(join(root, 'shop/a.txt'), 'a')
  const named = await readNamedFiles(
    join(root, 'shop'),
    ['a.txt', 'nope', 'src/cart.ts', 'a.txt'],
    99,
  )
  expect(named.files.map((file) => file.path)).toEqual(['a.txt', 'src/cart.ts'])
  expect(named.problems).toHaveLength(1)
  expect(named.problems[0]).toContain('"nope" does not exist')
})

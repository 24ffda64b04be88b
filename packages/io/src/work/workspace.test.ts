import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { capturePatch } from './capture-patch.ts'
import { dropJobFiles, openFreshCheckout, openWorkspace, type Workspace } from './workspace.ts'

const signal = new AbortController().signal
let base: string
let root: string
let dataDir: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'hyperguild-workspace-')))
  root = join(base, 'project')
  dataDir = join(base, 'data')
  mkdirSync(root)
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

/** Plain git, as a user would run it; some tests rely on it falling into the traps they set. */
function git(...args: string[]): string {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
  return execFileSync('git', ['-C', root, ...identity, ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  })
}

function write(path: string, content: string | Buffer = `${path}\n`): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), content)
}

const open = (jobId = 'job', more: { expectedTree?: string } = {}) =>
  openWorkspace({ source: { kind: 'directory', root }, dataDir, jobId, ...more }, signal)

/** Files and links of a tree with their content, byte for byte; not what is in `.git`. */
function contentsOf(tree: string, under = ''): Record<string, string> {
  const all = readdirSync(join(tree, under), { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name)
    if (path === '.git') return []
    if (entry.isDirectory()) return Object.entries(contentsOf(tree, path))
    const real = join(tree, path)
    const content = entry.isSymbolicLink()
      ? `-> ${readlinkSync(real)}`
      : readFileSync(real, 'latin1')
    return [[path, content] as const]
  })
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const filesOf = ({ tree }: Pick<Workspace, 'tree'>) => Object.keys(contentsOf(tree))

describe('opening a workspace', () => {
  it('copies committed, changed and new files, and nothing ignored or deleted', async () => {
    git('init', '-q')
    write('.gitignore', 'ignored.txt\nnode_modules/\n')
    write('committed.txt')
    write('changed.txt')
    write('deleted.txt')
    write('tracked/ignored.txt')
    git('add', '-A', '-f')
    git('commit', '-qm', 'x')
    write('changed.txt', 'as it is now\n')
    write('staged.txt')
    git('add', 'staged.txt')
    write('new.txt')
    write('ignored.txt')
    write('node_modules/pkg/index.js')
    rmSync(join(root, 'deleted.txt'))
    const workspace = await open()
    expect(filesOf(workspace)).toEqual([
      '.gitignore',
      'changed.txt',
      'committed.txt',
      'new.txt',
      'staged.txt',
      'tracked/ignored.txt',
    ])
    expect(readFileSync(join(workspace.tree, 'changed.txt'), 'utf8')).toBe('as it is now\n')
  })

  it('copies a directory that is no git repository, minding its .gitignore', async () => {
    write('.gitignore', '*.log\n')
    write('a.txt')
    write('debug.log')
    write('node_modules/pkg/index.js')
    expect(filesOf(await open())).toEqual(['.gitignore', 'a.txt'])
    expect(existsSync(join(root, '.git'))).toBe(false)
  })

  it('keeps every byte, whatever .gitattributes says, and the executable bit', async () => {
    git('init', '-q')
    write(
      '.gitattributes',
      '* text=auto eol=lf\n*.id ident\n*.utf16 working-tree-encoding=UTF-16\n',
    )
    write('dos.txt', 'one\r\ntwo\r\n')
    write('no end', 'no newline')
    write('grüße 你好.txt')
    write('version.id', '$Id$\n')
    write('latin1.txt', Buffer.from('caf\xe9\n', 'latin1'))
    write('wide.utf16', Buffer.from('\uFEFFhi\n', 'utf16le'))
    write('bin', Buffer.from([0, 1, 255]))
    write('run.sh')
    chmodSync(join(root, 'run.sh'), 0o755)
    git('add', '-A')
    git('commit', '-qm', 'x')
    const workspace = await open()
    expect(contentsOf(workspace.tree)).toEqual(contentsOf(root))
    expect(statSync(join(workspace.tree, 'run.sh')).mode & 0o111).not.toBe(0)
    expect(statSync(join(workspace.tree, 'bin')).mode & 0o111).toBe(0)
    const patch = await capturePatch(workspace, signal)
    expect(patch).toMatchObject({ files: [], diff: '' })
  })

  it('keeps links that stay inside, and leaves out and reports those that do not', async () => {
    write('src/a.txt')
    symlinkSync('a.txt', join(root, 'src/inside'))
    symlinkSync('../src/a.txt', join(root, 'src/up-and-down'))
    symlinkSync('/etc/passwd', join(root, 'absolute'))
    symlinkSync('../../data', join(root, 'src/outside'))
    mkdirSync(join(root, 'x/y'), { recursive: true })
    symlinkSync('../..', join(root, 'x/y/top'))
    symlinkSync('x/y/top/../outside', join(root, 'sly'))
    const workspace = await open()
    expect(filesOf(workspace)).toEqual(['src/a.txt', 'src/inside', 'src/up-and-down', 'x/y/top'])
    expect(workspace.leftOut.join('\n')).toMatch(/absolute.*\n.*sly.*\n.*src\/outside/)
  })

  it('leaves out nested repositories and reports submodules', async () => {
    git('init', '-q')
    write('a.txt')
    write('nested/b.txt')
    git('init', '-q', 'nested')
    git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`)
    mkdirSync(join(root, 'module'))
    const workspace = await open()
    expect(filesOf(workspace)).toEqual(['a.txt'])
    expect(workspace.leftOut).toHaveLength(2)
    expect(workspace.leftOut.join()).toMatch(/nested\/.*module/)
  })

  it('copies the files of a directory that took the place of a tracked file', async () => {
    git('init', '-q')
    write('a', 'a file\n')
    git('add', '-A')
    rmSync(join(root, 'a'))
    write('a/b.txt')
    expect(filesOf(await open())).toEqual(['a/b.txt'])
  })

  it('copies a project that is a part of a repository, without what that repository ignores', async () => {
    git('init', '-q')
    write('.gitignore', '*.tmp\n')
    write('packages/shop/a.txt')
    write('packages/shop/b.tmp')
    write('packages/other/c.txt')
    git('add', '-A')
    root = join(root, 'packages/shop')
    expect(filesOf(await open())).toEqual(['a.txt'])
  })

  it('copies a project that the repository around it ignores', async () => {
    git('init', '-q')
    write('.gitignore', 'scratch/\n')
    write('scratch/shop/a.txt')
    root = join(root, 'scratch/shop')
    expect(filesOf(await open())).toEqual(['a.txt'])
  })

  it('copies the linked work tree of a repository', async () => {
    git('init', '-q')
    write('a.txt')
    git('add', '-A')
    git('commit', '-qm', 'x')
    git('worktree', 'add', '-q', join(base, 'linked'))
    root = join(base, 'linked')
    write('b.txt')
    expect(filesOf(await open())).toEqual(['a.txt', 'b.txt'])
  })

  it('names installed packages for the sandbox, but never a link in their place', async () => {
    git('init', '-q')
    write('.gitignore', 'node_modules\nvenv\n')
    write('a.txt')
    write('node_modules/pkg/index.js')
    write('packages/shop/package.txt')
    write('packages/shop/node_modules/pkg/index.js')
    symlinkSync('/etc', join(root, 'venv'))
    expect((await open()).overlays).toEqual([
      { from: join(root, 'node_modules'), at: 'node_modules' },
      { from: join(root, 'packages/shop/node_modules'), at: 'packages/shop/node_modules' },
    ])
  })

  it('names installed packages of a directory without git', async () => {
    write('a.txt')
    write('node_modules/pkg/index.js')
    expect((await open()).overlays).toEqual([
      { from: join(root, 'node_modules'), at: 'node_modules' },
    ])
  })

  it('works on a project without files', async () => {
    const workspace = await open()
    writeFileSync(join(workspace.tree, 'first.txt'), 'x\n')
    const patch = await capturePatch(workspace, signal)
    expect(patch.files.map((file) => file.path)).toEqual(['first.txt'])
  })

  it('never writes into the project', async () => {
    git('init', '-q')
    write('a.txt')
    git('add', '-A')
    git('commit', '-qm', 'x')
    write('a.txt', 'changed\n')
    const index = readFileSync(join(root, '.git/index'))
    const before = contentsOf(root)
    const workspace = await open()
    writeFileSync(join(workspace.tree, 'a.txt'), 'rejected\n')
    await capturePatch(workspace, signal)
    await workspace.dispose()
    expect(contentsOf(root)).toEqual(before)
    expect(readFileSync(join(root, '.git/index'))).toEqual(index)
  })
})

describe('the attempts of a job', () => {
  it('start from the same base, although the project went on', async () => {
    write('a.txt', 'first\n')
    const first = await open()
    writeFileSync(join(first.tree, 'a.txt'), 'rejected attempt\n')
    await first.dispose()
    write('a.txt', 'somebody went on\n')
    const second = await open('job', { expectedTree: first.baseTree })
    expect(readFileSync(join(second.tree, 'a.txt'), 'utf8')).toBe('first\n')
    expect(second.baseCommit).toBe(first.baseCommit)
  })

  it('get the same base on another machine, or a clear refusal when the project went on', async () => {
    write('a.txt', 'first\n')
    const here = await open()
    dataDir = join(base, 'another machine')
    const there = await open('job', { expectedTree: here.baseTree })
    expect(there).toMatchObject({ baseTree: here.baseTree, baseCommit: here.baseCommit })
    dataDir = join(base, 'a third machine')
    write('a.txt', 'somebody went on\n')
    await expect(open('job', { expectedTree: here.baseTree })).rejects.toThrow(
      /not what it was when the job began/,
    )
  })

  it('may begin at the same time and share one base', async () => {
    write('a.txt')
    const workspaces = await Promise.all([open(), open(), open()])
    expect(new Set(workspaces.map((workspace) => workspace.tree)).size).toBe(3)
    expect(new Set(workspaces.map((workspace) => workspace.baseCommit)).size).toBe(1)
    await Promise.all(workspaces.map((workspace) => workspace.dispose()))
    expect(readdirSync(join(dataDir, 'jobs/job'))).toEqual(['base.git'])
  })

  it('leave nothing when they are disposed of, twice, even after taking rights away', async () => {
    write('a.txt')
    const workspace = await open()
    mkdirSync(join(workspace.tree, 'locked/in'), { recursive: true })
    chmodSync(join(workspace.tree, 'locked'), 0)
    await workspace.dispose()
    await workspace.dispose()
    expect(readdirSync(join(dataDir, 'jobs/job'))).toEqual(['base.git'])
    await dropJobFiles({ source: { kind: 'directory', root }, dataDir, jobId: 'job' })
    expect(readdirSync(join(dataDir, 'jobs'))).toEqual([])
  })

  it('leave nothing when they are cancelled while opening', async () => {
    write('a.txt')
    const cancelled = AbortSignal.abort(new Error('cancelled'))
    const source = { kind: 'directory' as const, root }
    const opening = openWorkspace({ source, dataDir, jobId: 'job' }, cancelled)
    await expect(opening).rejects.toThrow('cancelled')
    expect(readdirSync(join(dataDir, 'jobs/job'))).toEqual([])
  })

  it('cannot leave their directory by the job id', async () => {
    await expect(open('../escape')).rejects.toThrow('not a job id')
  })
})

describe('a patch', () => {
  /** Opens the workspace, changes it, and checks that a fresh checkout with the patch is equal. */
  async function roundTrip(change: (tree: string) => void) {
    const workspace = await open()
    change(workspace.tree)
    const patch = await capturePatch(workspace, signal)
    const carried = JSON.parse(JSON.stringify(patch))
    const fresh = await openFreshCheckout(workspace, carried, signal)
    expect(contentsOf(fresh.tree)).toEqual(contentsOf(workspace.tree))
    await fresh.dispose()
    expect(existsSync(fresh.tree)).toBe(false)
    return patch
  }

  it('carries edits, new, deleted, binary and executable files, odd names and line ends', async () => {
    write('edit.txt', 'one\ntwo\nthree\n')
    write('dos.txt', 'one\r\ntwo\r\n')
    write('no-end.txt', 'one\ntwo')
    write('gone.txt')
    write('logo.bin', Buffer.from([0, 1, 2]))
    write('empty.txt', '')
    write('with space/grüße 你好.txt', 'hallo\n')
    const patch = await roundTrip((tree) => {
      const put = (path: string, content: string | Buffer, mode = 0o644) =>
        writeFileSync(join(tree, path), content, { mode })
      put('edit.txt', 'one\n2\nthree\n')
      put('dos.txt', 'one\r\n2\r\n')
      put('no-end.txt', 'one\ntwo, longer')
      rmSync(join(tree, 'gone.txt'))
      put('logo.bin', Buffer.from([0, 255, 254]))
      put('empty.txt', 'no more\n')
      put('with space/grüße 你好.txt', 'tschüß\n')
      put('new "quoted"\ttab.txt', 'x\n')
      put('-n', 'looks like an option\n')
      put('run.sh', '#!/bin/sh\n', 0o755)
    })
    const of = (path: string) => patch.files.find((file) => file.path === path)
    expect(patch.files).toHaveLength(10)
    expect(of('edit.txt')).toMatchObject({ status: 'modified', addedLines: 1, removedLines: 1 })
    expect(of('gone.txt')).toMatchObject({ status: 'deleted', newBlob: null, newMode: null })
    expect(of('logo.bin')).toMatchObject({ status: 'modified', addedLines: null })
    expect(of('run.sh')).toMatchObject({ status: 'added', baseBlob: null, newMode: '100755' })
    expect(of('with space/grüße 你好.txt')?.status).toBe('modified')
    expect(of('edit.txt')?.baseBlob).toBe(git('hash-object', join(root, 'edit.txt')).trim())
  })

  it('carries text that is not UTF-8 without losing a byte, and leaves other files readable', async () => {
    write('latin1.txt', Buffer.from('caf\xe9\n', 'latin1'))
    write('plain.txt', 'before\n')
    const patch = await roundTrip((tree) => {
      writeFileSync(join(tree, 'latin1.txt'), Buffer.from('caf\xe9s\n', 'latin1'))
      writeFileSync(join(tree, 'plain.txt'), 'after\n')
      writeFileSync(join(tree, 'new.txt'), Buffer.from([0xe9]))
    })
    expect(patch.diff).toContain('-before\n+after\n')
  })

  it('carries a byte order mark and a file that only looks like a diff', async () => {
    write('bom.txt', '\uFEFFone\n')
    write('fake.txt', 'x\n')
    await roundTrip((tree) => {
      writeFileSync(join(tree, 'bom.txt'), '\uFEFFtwo\n')
      writeFileSync(join(tree, 'fake.txt'), 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n')
    })
  })

  it('shows links and mode changes for what they are, so that the policy can refuse them', async () => {
    write('a.txt')
    write('b.txt')
    const workspace = await open()
    rmSync(join(workspace.tree, 'a.txt'))
    symlinkSync('/etc/passwd', join(workspace.tree, 'a.txt'))
    chmodSync(join(workspace.tree, 'b.txt'), 0o755)
    const { files } = await capturePatch(workspace, signal)
    expect(files.map((file) => [file.path, file.baseMode, file.newMode])).toEqual([
      ['a.txt', '100644', '120000'],
      ['b.txt', '100644', '100755'],
    ])
  })

  it('leaves out what the project ignores', async () => {
    write('.gitignore', 'out/\n')
    const patch = await roundTrip((tree) => writeFileSync(join(tree, 'a.txt'), 'x\n'))
    const workspace = await open()
    mkdirSync(join(workspace.tree, 'out'))
    writeFileSync(join(workspace.tree, 'out/report.txt'), 'x\n')
    expect((await capturePatch(workspace, signal)).files).toEqual([])
    expect(patch.files.map((file) => file.path)).toEqual(['a.txt'])
  })

  it('is refused as bad output when it is huge', async () => {
    const workspace = await open()
    writeFileSync(join(workspace.tree, 'huge.txt'), 'all work and no play\n'.repeat(600_000))
    await expect(capturePatch(workspace, signal)).rejects.toMatchObject({ failure: 'bad_output' })
  })
})

describe('a hostile repository', () => {
  let canary: string
  let trap: string

  beforeEach(() => {
    canary = join(base, 'canary')
    trap = join(base, 'trap.sh')
    writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> "${canary}"\ncat 2>/dev/null\n`, {
      mode: 0o755,
    })
    git('init', '-q')
    write('a.txt', 'one\n')
    git('add', '-A')
    git('commit', '-qm', 'x')
  })

  /** Every place where git runs a program it finds in a repository. */
  function plantTraps(at: string): void {
    const here = (...args: string[]) =>
      execFileSync('git', ['-C', at, ...args], { stdio: 'ignore' })
    for (const key of ['core.fsmonitor', 'diff.external', 'core.pager', 'core.editor']) {
      here('config', key, trap)
    }
    for (const key of ['core.sshCommand', 'credential.helper', 'core.askPass'])
      here('config', key, trap)
    for (const key of ['clean', 'smudge', 'process']) here('config', `filter.evil.${key}`, trap)
    here('config', 'diff.evil.textconv', trap)
    here('config', 'diff.evil.command', trap)
    here('config', 'merge.evil.driver', trap)
    const hooks = join(at, '.git/hooks')
    mkdirSync(hooks, { recursive: true })
    for (const hook of [
      'post-checkout',
      'post-index-change',
      'pre-commit',
      'reference-transaction',
    ]) {
      writeFileSync(join(hooks, hook), readFileSync(trap), { mode: 0o755 })
    }
    writeFileSync(join(at, '.gitattributes'), '* filter=evil diff=evil merge=evil\n')
  }

  it('has traps that plain git falls into', () => {
    plantTraps(root)
    write('a.txt', 'two\n')
    git('status')
    expect(readFileSync(canary, 'utf8')).toContain('trap.sh')
  })

  it('runs nothing while a workspace is opened, captured and checked out', async () => {
    plantTraps(root)
    write('a.txt', 'two\n')
    const workspace = await open()
    writeFileSync(join(workspace.tree, 'a.txt'), 'three\n')
    const patch = await capturePatch(workspace, signal)
    await openFreshCheckout(workspace, patch, signal)
    expect(existsSync(canary)).toBe(false)
    expect(readFileSync(join(workspace.tree, 'a.txt'), 'utf8')).toBe('three\n')
    expect(patch.diff).toContain('-two\n+three\n')
  })

  it('runs nothing that code under test planted in the tree', async () => {
    const workspace = await open()
    const here = (...args: string[]) => execFileSync('git', ['-C', workspace.tree, ...args])
    here('init', '-q')
    plantTraps(workspace.tree)
    mkdirSync(join(workspace.tree, 'sub'))
    execFileSync('git', ['-C', join(workspace.tree, 'sub'), 'init', '-q'])
    plantTraps(join(workspace.tree, 'sub'))
    rmSync(canary, { force: true })
    await capturePatch(workspace, signal).catch(() => {})
    rmSync(join(workspace.tree, 'sub'), { recursive: true })
    const patch = await capturePatch(workspace, signal)
    expect(existsSync(canary)).toBe(false)
    expect(patch.files.map((file) => file.path)).toEqual(['.gitattributes'])
  })

  it('cannot point the work tree elsewhere', async () => {
    git('config', 'core.worktree', dirname(base))
    expect(filesOf(await open())).toEqual(['a.txt'])
  })

  it('is no reason to refuse a project when it is broken', async () => {
    writeFileSync(join(root, '.git/config'), '[core\nnonsense')
    expect(filesOf(await open())).toEqual(['a.txt'])
  })

  it('keeps its git directory out of the tree', async () => {
    const workspace = await open()
    expect(existsSync(join(workspace.tree, '.git'))).toBe(false)
    expect(lstatSync(workspace.gitDir).isDirectory()).toBe(true)
  })
})

describe('a bundle', () => {
  const openBundle = (files: { path: string; content: string }[], jobId = 'bundle') =>
    openWorkspace({ source: { kind: 'bundle', files }, dataDir, jobId }, signal)

  it('becomes a workspace', async () => {
    const workspace = await openBundle([
      { path: 'src/a.ts', content: 'a\n' },
      { path: 'grüße.txt', content: '' },
    ])
    expect(contentsOf(workspace.tree)).toEqual({ 'grüße.txt': '', 'src/a.ts': 'a\n' })
    writeFileSync(join(workspace.tree, 'src/a.ts'), 'b\n')
    expect((await capturePatch(workspace, signal)).files).toHaveLength(1)
  })

  it.each([
    ['no files', []],
    ['too many files', Array.from({ length: 501 }, (_, i) => ({ path: `f${i}`, content: '' }))],
    ['a file that is too large', [{ path: 'a', content: 'x'.repeat(256 * 1024 + 1) }]],
    [
      'too much together',
      Array.from({ length: 21 }, (_, i) => ({ path: `f${i}`, content: 'x'.repeat(250_000) })),
    ],
    ['a path upwards', [{ path: '../a', content: '' }]],
    ['an absolute path', [{ path: '/tmp/a', content: '' }]],
    ['a path into .git', [{ path: '.git/hooks/pre-commit', content: '' }]],
    [
      'a path twice',
      [
        { path: 'a', content: '1' },
        { path: './a', content: '2' },
      ],
    ],
    [
      'a file that is also a directory',
      [
        { path: 'a', content: '' },
        { path: 'a/b', content: '' },
      ],
    ],
  ])('is refused with %s', async (_, files) => {
    await expect(openBundle(files)).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(existsSync(join(dataDir, 'a'))).toBe(false)
  })
})

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runSandboxed } from './sandbox.ts'
import { findToolchain } from './toolchain.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'toolchain-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('findToolchain', () => {
  it('puts our own Node first, before the operator’s directories and the system’s', async () => {
    const { path, readOnlyPaths } = findToolchain(`/usr/bin:${dir}:/nowhere/bin:relative`)
    expect(path.slice(0, 3)).toEqual([dirname(process.execPath), dir, '/usr/local/bin'])
    expect(readOnlyPaths).toContain(dir)
    expect(readOnlyPaths).not.toContain('/usr/bin')
    expect(path.join(':')).not.toMatch(/nowhere|relative/)
  })

  it('shows no directory that holds the home directory', () => {
    const { path } = findToolchain(`${homedir()}:${dirname(homedir())}:/`)
    expect(path).toEqual(findToolchain('').path)
  })

  it('shows the whole prefix of a Node that has npm beside it', async () => {
    await mkdir(join(dir, 'bin'))
    await mkdir(join(dir, 'lib', 'node_modules'), { recursive: true })
    await writeFile(join(dir, 'bin', 'node'), '')
    await mkdir(join(dir, 'links'))
    await symlink('../bin/node', join(dir, 'links', 'node'))
    const { path, readOnlyPaths } = findToolchain('', join(dir, 'links', 'node'))
    expect(path[0]).toBe(join(dir, 'bin'))
    expect(readOnlyPaths).toContain(dir)
  })

  it('makes the operator’s programs run in the sandbox', async () => {
    const tools = join(dir, 'tools')
    const workDir = join(dir, 'ws')
    await mkdir(tools)
    await mkdir(workDir)
    await writeFile(join(tools, 'greet'), '#!/bin/sh\necho hello\n', { mode: 0o755 })
    const request = {
      level: 'bubblewrap' as const,
      command: 'greet',
      workDir,
      limits: { wallMs: 9000 },
    }
    const toolchain = findToolchain(tools)
    const run = await runSandboxed({ ...request, toolchain }, new AbortController().signal)
    expect(run.output).toBe('hello\n')
  })
})

import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { probeSandbox } from './probe-sandbox.ts'
import { runSandboxed, type SandboxLimits, type SandboxRequest } from './sandbox.ts'
import { findToolchain } from './toolchain.ts'

let dir: string
let workDir: string
const idle = new AbortController().signal

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sandbox-test-'))
  workDir = join(dir, 'ws')
  await mkdir(workDir)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function run(
  command: string,
  more: Partial<Omit<SandboxRequest, 'limits'>> & { limits?: Partial<SandboxLimits> } = {},
  signal = idle,
) {
  const limits = { wallMs: 15_000, ...more.limits }
  return runSandboxed({ level: 'bubblewrap', command, workDir, ...more, limits }, signal)
}

/** Processes of this machine whose command line contains a marker. */
function running(marker: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker)
    } catch {
      return false
    }
  })
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

const unusualSeconds = () => `${3000 + Math.random()}`

describe('a command in bubblewrap', () => {
  it('runs with our own Node, a home of its own and the workspace as its directory', async () => {
    const result = await run('node -v; pwd; echo $HOME; id -un; echo no >&2')
    expect(result).toMatchObject({ exitCode: 0, timedOut: false, stoppedBecause: 'exit' })
    expect(result.output).toBe(`${process.version}\n/workspace\n/tmp\nsandbox\nno\n`)
  })

  it('tells the exit code, also of a command that ends by a signal', async () => {
    expect((await run('exit 7')).exitCode).toBe(7)
    expect((await run('kill -9 $$')).exitCode).toBe(137)
  })

  it('may change the workspace and its own /tmp, and nothing else', async () => {
    const outside = join(dir, 'outside')
    const targets = ['/usr/x', '/etc/x', '/x', '/dev/x', '/root/x', '/var/x', outside, '/proc/x']
    const result = await run(
      `echo kept > file; echo gone > /tmp/file; cat /tmp/file
      for f in ${targets.join(' ')}; do touch $f 2>/dev/null && echo wrote $f; done; true`,
    )
    expect(result.output).toBe('gone\n')
    expect(await readFile(join(workDir, 'file'), 'utf8')).toBe('kept\n')
    expect(existsSync(outside)).toBe(false)
  })

  it('cannot write through a symlink that leads out of the workspace', async () => {
    await writeFile(join(dir, 'secret'), 'as it was')
    await symlink(join(dir, 'secret'), join(workDir, 'link'))
    expect((await run('cat link || echo changed > link')).output).not.toContain('as it was')
    expect(await readFile(join(dir, 'secret'), 'utf8')).toBe('as it was')
  })

  it('cannot make the system writable from a user namespace of its own', async () => {
    const result = await run('unshare -Urm sh -c "mount -o remount,rw,bind /usr && touch /usr/x"')
    expect(result.exitCode).not.toBe(0)
    expect(existsSync('/usr/x')).toBe(false)
  })

  it('sees neither the environment nor the processes of the worker', async () => {
    process.env.SANDBOX_TEST_KEY = 'sk-worker-secret'
    try {
      const result = await run(
        'env; cat /proc/[0-9]*/environ | tr "\\0" "\\n"; ls /proc | grep -c "^[0-9]"',
      )
      expect(result.output).toContain('HOME=/tmp')
      expect(result.output).not.toContain('sk-worker-secret')
    } finally {
      delete process.env.SANDBOX_TEST_KEY
    }
  })

  it('reaches no listener outside, but its own on loopback', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await writeFile(
      join(workDir, 'net.mjs'),
      `import net from 'node:net'
      const attempt = (port) => new Promise((done) => net.connect(port, '127.0.0.1')
        .on('connect', function () { this.destroy(); done('connected') }).on('error', (e) => done(e.code)))
      console.log('outside', await attempt(${port}))
      const own = net.createServer().listen(0, '127.0.0.1', async () => {
        console.log('own', await attempt(own.address().port)); own.close() })`,
    )
    const result = await run('node net.mjs')
    server.close()
    expect(result.output).toBe('outside ECONNREFUSED\nown connected\n')
    expect(connections).toBe(0)
  })

  it('shows more directories only for reading', async () => {
    await mkdir(join(dir, 'data'))
    await writeFile(join(dir, 'data', 'x'), 'content')
    const data = join(dir, 'data')
    const result = await run(`cat ${data}/x; echo new > ${data}/x; echo new > ${data}/y`, {
      readOnlyPaths: [data],
    })
    expect(result.output).toContain('content')
    expect(readdirSync(data)).toEqual(['x'])
    expect(await readFile(join(data, 'x'), 'utf8')).toBe('content')
  })

  it('uses installed packages through an overlay that forgets what is written to it', async () => {
    const modules = join(dir, 'project', 'node_modules')
    await mkdir(join(modules, 'plain'), { recursive: true })
    await mkdir(join(modules, '@scope'), { recursive: true })
    await writeFile(join(modules, 'plain', 'index.js'), 'module.exports = require("@scope/own")')
    await symlink('../../packages/own', join(modules, '@scope', 'own'))
    await mkdir(join(workDir, 'packages', 'own'), { recursive: true })
    await writeFile(join(workDir, 'packages', 'own', 'index.js'), 'module.exports = "workspace"')
    const result = await run(
      `node -p 'require("@scope/own"); typeof require.resolve("plain")' && mkdir node_modules/.vite-temp &&
      touch node_modules/.vite-temp/x && touch node_modules/plain/y`,
      { overlays: [{ from: modules, at: 'node_modules' }] },
    )
    expect(result.output).toContain('string\n')
    expect(result.output).toContain('Read-only file system')
    expect(readdirSync(modules).sort()).toEqual(['@scope', 'plain'])
    expect(readdirSync(join(modules, 'plain'))).toEqual(['index.js'])
    expect(readdirSync(workDir)).toEqual(['packages'])
  })
})

describe('a command that does not behave', () => {
  it('that sleeps for ever is stopped at the time limit, with the children that called setsid', async () => {
    const marker = unusualSeconds()
    const result = await run(
      `setsid -f sleep ${marker}; trap "" TERM INT HUP; nohup sleep ${marker} & echo up; sleep ${marker}`,
      { limits: { wallMs: 400 } },
    )
    expect(result).toMatchObject({ exitCode: null, timedOut: true, stoppedBecause: 'timeout' })
    expect(result.output).toContain('up')
    expect(running(marker)).toEqual([])
  })

  it('has no process left, and no zombie, at the moment its end is told', async () => {
    const name = `nap${Math.random().toString(36).slice(2, 10)}`
    await copyFile('/usr/bin/sleep', join(workDir, name))
    const command = `cat /proc/1/comm; for i in 1 2 3 4 5 6 7 8 9; do setsid -f ./${name} 1000 >/dev/null 2>&1; done`
    expect((await run(command)).output).toBe('sh\n')
    expect(readdirSync('/proc').filter((pid) => nameOf(pid) === name)).toEqual([])
  })

  it('leaves nothing behind when it ends by itself', async () => {
    const marker = unusualSeconds()
    const result = await run(`setsid -f sleep ${marker}; sleep ${marker} & echo done`)
    expect(result).toMatchObject({ exitCode: 0, stoppedBecause: 'exit', output: 'done\n' })
    expect(running(marker)).toEqual([])
  })

  it('is stopped when the caller gives up', async () => {
    const marker = unusualSeconds()
    const giveUp = new AbortController()
    const ready = join(workDir, 'ready')
    const result = run(`setsid -f sleep ${marker}; touch ready; sleep ${marker}`, {}, giveUp.signal)
    await expect.poll(() => existsSync(ready)).toBe(true)
    giveUp.abort()
    expect(await result).toMatchObject({ exitCode: null, stoppedBecause: 'aborted' })
    expect(running(marker)).toEqual([])
  })

  it('does not even begin to work when the caller has given up before', async () => {
    const result = await run('sleep 1000', {}, AbortSignal.abort())
    expect(result).toMatchObject({ exitCode: null, stoppedBecause: 'aborted' })
  })

  it('that prints without end is stopped at the output limit, which is all that is kept', async () => {
    const result = await run('echo begin; yes | head -c 100000000; echo end', {
      limits: { outputBytes: 100_000 },
    })
    expect(result).toMatchObject({ exitCode: null, stoppedBecause: 'output' })
    expect(result.output).toHaveLength(100_000)
    expect(result.output).toMatch(/^begin\ny\n/)
  })

  it('that forks is held at the limit of processes', async () => {
    const marker = unusualSeconds()
    const result = await run(
      `i=0; while [ $i -lt 600 ]; do sleep ${marker} & i=$((i+1)); done; sleep ${marker}`,
      { limits: { processes: 40, wallMs: 5000 } },
    )
    expect(result.exitCode).not.toBe(0)
    expect(result.output + result.stoppedBecause).toMatch(/fork|processes/)
    expect(running(marker)).toEqual([])
  })

  it('that takes too much memory is stopped', async () => {
    const result = await run(
      `node -e 'const kept = []; for (;;) kept.push(Buffer.alloc(16e6, 1))'`,
      { limits: { memoryBytes: 300e6 } },
    )
    expect(result).toMatchObject({ exitCode: null, stoppedBecause: 'memory' })
  })

  it('that spreads its memory over many processes is stopped as well', async () => {
    const hog = `node -e 'const kept = Buffer.alloc(120e6, 1); setInterval(() => kept, 1000)'`
    const result = await run(`${hog} & ${hog} & ${hog} & ${hog}`, {
      limits: { memoryBytes: 350e6 },
    })
    expect(result).toMatchObject({ exitCode: null, stoppedBecause: 'memory' })
  })

  it('cannot fill memory through /tmp or write a huge file', async () => {
    const result = await run(
      'head -c 50000000 /dev/zero > /tmp/a; head -c 50000000 /dev/zero > big; stat -c %s big',
      { limits: { memoryBytes: 20e6, fileBytes: 30_000_000 } },
    )
    expect(result.output).toContain('No space left on device')
    expect(result.output).toContain('30000000')
  })

  it('can use WebAssembly, which reserves far more address space than it uses', async () => {
    const result = await run(`node -p 'new WebAssembly.Memory({ initial: 1 }).buffer.byteLength'`)
    expect(result.output).toBe('65536\n')
  })
})

describe('without a sandbox', () => {
  it('a command still gets no key, its own home, a time limit and a clean end', async () => {
    const marker = unusualSeconds()
    process.env.SANDBOX_TEST_KEY = 'sk-worker-secret'
    try {
      const result = await run(
        `setsid -f sleep ${marker}; pwd; env; echo no >&2; sleep ${marker}`,
        {
          level: 'none',
          limits: { wallMs: 500 },
        },
      )
      expect(result).toMatchObject({ exitCode: null, stoppedBecause: 'timeout' })
      expect(result.output).toContain(workDir)
      expect(result.output).toContain('no\n')
      expect(result.output).not.toContain('sk-worker-secret')
      expect(running(marker)).toEqual([])
      const home = /^HOME=(.*)$/m.exec(result.output)![1]!
      expect(existsSync(home)).toBe(false)
    } finally {
      delete process.env.SANDBOX_TEST_KEY
    }
  })

  it('an overlay is a link for the time of the command', async () => {
    await mkdir(join(dir, 'node_modules', 'x'), { recursive: true })
    const overlays = [{ from: join(dir, 'node_modules'), at: 'node_modules' }]
    const result = await run('ls node_modules', { level: 'none', overlays })
    expect(result.output).toBe('x\n')
    expect(readdirSync(workDir)).toEqual([])
    expect(readdirSync(join(dir, 'node_modules'))).toEqual(['x'])
  })
})

describe('the probe', () => {
  it('chooses bubblewrap by itself where it works', async () => {
    expect(await probeSandbox('auto')).toMatchObject({ level: 'bubblewrap' })
    expect(await probeSandbox('none')).toMatchObject({ level: 'none' })
  })

  it('says what to do when bubblewrap is not installed', async () => {
    const nothing = { ...findToolchain(''), path: [dir] }
    await expect(probeSandbox('auto', nothing)).rejects.toThrow(ConfigError)
    await expect(probeSandbox('bubblewrap', nothing)).rejects.toThrow('apt-get install bubblewrap')
    await expect(probeSandbox('auto', nothing)).rejects.toThrow('HYPERGUILD_SANDBOX=none')
  })

  it('says what to do when bubblewrap is there but may not make name spaces', async () => {
    const refusing = '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n'
    await writeFile(join(dir, 'bwrap'), refusing, { mode: 0o755 })
    const toolchain = { ...findToolchain(''), path: [dir] }
    await expect(probeSandbox('auto', toolchain)).rejects.toThrow(/No permissions.*\n.*\n.*Install/)
  })
})

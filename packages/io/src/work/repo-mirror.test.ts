import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repoProblem } from './repo-mirror.ts'
import { dropJobFiles, openWorkspace } from './workspace.ts'

const signal = new AbortController().signal
let base: string
let server: Server
let host: string

/** A repository behind plain HTTP, as any file server can offer one. */
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'hyperguild-mirror-'))
  const work = join(base, 'work')
  mkdirSync(work)
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-C', work, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args],
      {
        encoding: 'utf8',
      },
    )
  git('init', '-q', '-b', 'main')
  writeFileSync(join(work, 'a.txt'), 'on main\n')
  git('add', '-A')
  git('commit', '-qm', 'x')
  git('checkout', '-qb', 'feature/one')
  writeFileSync(join(work, 'a.txt'), 'on a branch\n')
  git('commit', '-qam', 'y')
  git('clone', '-q', '--bare', work, join(base, 'served.git'))
  execFileSync('git', ['-C', join(base, 'served.git'), 'update-server-info'])
  server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(base, new URL(request.url ?? '', 'http://x').pathname)))
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(base, { recursive: true, force: true })
})

const optionsFor = (ref: string, jobId: string) => ({
  source: { kind: 'repo' as const, url: `http://${host}/served.git`, ref },
  dataDir: join(base, 'data'),
  jobId,
  repoHosts: [`http://${host}`],
})

describe('a repository as the source', () => {
  it('is fetched at a branch, through one mirror for all jobs', async () => {
    const [main, branch] = await Promise.all([
      openWorkspace(optionsFor('main', 'one'), signal),
      openWorkspace(optionsFor('feature/one', 'two'), signal),
    ])
    expect(readFileSync(join(main.tree, 'a.txt'), 'utf8')).toBe('on main\n')
    expect(readFileSync(join(branch.tree, 'a.txt'), 'utf8')).toBe('on a branch\n')
    expect(readdirSync(join(base, 'data/mirrors'))).toHaveLength(1)
    await dropJobFiles(optionsFor('main', 'one'))
    expect(readdirSync(join(base, 'data/jobs'))).toEqual(['two'])
  })

  it('says when there is no such ref or repository', async () => {
    await expect(openWorkspace(optionsFor('nowhere', 'three'), signal)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('has no "nowhere"'),
    })
    const { source, ...options } = optionsFor('main', 'four')
    const missing = { ...source, url: source.url.replace('served', 'other') }
    await expect(openWorkspace({ ...options, source: missing }, signal)).rejects.toMatchObject({
      message: expect.stringContaining('could not be fetched'),
    })
  })
})

describe('a repository address', () => {
  const problemOf = (url: string, ref = 'main') =>
    repoProblem({ url, ref, allowedHosts: ['git.example.org', 'http://gitea.lan:3000'] })

  it('must be on an allowed host, by a protocol that host is allowed for', () => {
    expect(problemOf('https://git.example.org/a/b.git')).toBeNull()
    expect(problemOf('ssh://git@git.example.org/a/b.git')).toBeNull()
    expect(problemOf('http://gitea.lan:3000/a/b')).toBeNull()
    expect(problemOf('https://evil.example.org/a/b.git')).toContain('not an allowed host')
    expect(problemOf('https://git.example.org.evil.com/a')).toContain('not an allowed host')
    expect(problemOf('https://git.example.org:8443/a')).toContain('not an allowed host')
    expect(problemOf('http://git.example.org/a')).toContain('not an allowed host')
    expect(repoProblem({ url: 'https://a.example/b', ref: 'main', allowedHosts: [] })).toContain(
      'HYPERGUILD_REPO_HOSTS',
    )
  })

  it.each(['ext::sh -c true', 'file:///etc', '/etc', 'git@git.example.org:a/b', '--upload-pack=x'])(
    'must not be %s',
    (url) => expect(problemOf(url)).toContain('https:// or ssh://'),
  )

  it('must not hold credentials', () => {
    expect(problemOf('https://me:secret@git.example.org/a')).toContain('credentials')
    expect(problemOf('https://token@git.example.org/a')).toContain('credentials')
  })

  it.each(['--upload-pack=x', 'a..b', 'a b', 'a:b', '+main', 'HEAD~1', '', 'a/.b', 'x.lock', 'a/'])(
    'must not come with the ref %j',
    (ref) => expect(problemOf('https://git.example.org/a', ref)).toContain('not a branch'),
  )

  it.each(['main', 'feature/one', 'v1.2.3', '0123456789abcdef0123456789abcdef01234567', 'HEAD'])(
    'may come with the ref %s',
    (ref) => expect(problemOf('https://git.example.org/a', ref)).toBeNull(),
  )
})

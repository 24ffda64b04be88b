import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/**
 * Offers a directory as a repository over plain HTTP, as any file server can: `<host>/project.git`, branch `main`. Gone
 * when the test ends.
 */
export async function serveRepository(directory: string): Promise<{ host: string }> {
  const base = await mkdtemp(join(tmpdir(), 'hyperguild-served-'))
  onTestFinished(() => rm(base, { recursive: true, force: true }))
  const [work, bare] = [join(base, 'work'), join(base, 'project.git')]
  cpSync(directory, work, { recursive: true })
  const git = (...args: string[]) => execFileSync('git', args, { stdio: 'ignore' })
  git('init', '-b', 'main', work)
  git('-C', work, 'add', '--all')
  git('-C', work, '-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-m', 'base')
  git('clone', '--bare', work, bare)
  git('-C', bare, 'update-server-info')
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(base, new URL(request.url!, 'http://x').pathname)))
    } catch {
      response.writeHead(404).end()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

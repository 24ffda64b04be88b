import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { GitError, runGit } from './git.ts'
import { createGitDir } from './git-dir.ts'

let gitDir: string

beforeEach(async () => {
  gitDir = mkdtempSync(join(tmpdir(), 'hyperguild-git-'))
  await createGitDir(gitDir)
})

afterEach(() => rmSync(gitDir, { recursive: true, force: true }))

it('gives the bytes git prints', async () => {
  const input = Buffer.from([0, 255, 10])
  const id = (await runGit(['hash-object', '-w', '--stdin'], { gitDir, input })).toString().trim()
  expect(await runGit(['cat-file', 'blob', id], { gitDir })).toEqual(input)
})

it('throws what git complained about', async () => {
  const failing = runGit(['cat-file', 'blob', 'nothing'], { gitDir })
  await expect(failing).rejects.toThrow(/git cat-file failed: exit code 128: fatal/)
  await expect(failing).rejects.toBeInstanceOf(GitError)
})

it('stops git when it prints too much', async () => {
  const input = 'x'.repeat(100_000)
  const id = (await runGit(['hash-object', '-w', '--stdin'], { gitDir, input })).toString().trim()
  const failing = runGit(['cat-file', 'blob', id], { gitDir, maxOutputBytes: 1000 })
  await expect(failing).rejects.toMatchObject({ tooMuchOutput: true })
})

it('speaks no protocol unless it is told to', async () => {
  const failing = runGit(['fetch', '/tmp', 'main'], { gitDir })
  await expect(failing).rejects.toThrow(/transport 'file' not allowed/)
  const external = runGit(['fetch', 'ext::sh -c true', 'main'], { gitDir, protocols: ['ext'] })
  await expect(external).rejects.toThrow()
})

/** Takes connections and never answers; tells when the client has gone. */
async function listenSilently() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`
  const connected = once(server, 'connection').then(([socket]) => {
    socket.on('error', () => {})
    socket.resume()
    return socket
  })
  return { url, connected, close: () => server.close() }
}

it('ends git and the programs it started when it takes too long', async () => {
  const { url, connected, close } = await listenSilently()
  const run = { gitDir, protocols: ['http'], timeoutMs: 1000 }
  const failing = expect(runGit(['fetch', url, 'main'], run)).rejects.toThrow('more than 1000 ms')
  await once(await connected, 'close')
  await failing
  close()
})

it('ends git and the programs it started when the caller gives up', async () => {
  const { url, connected, close } = await listenSilently()
  const caller = new AbortController()
  const run = { gitDir, protocols: ['http'] }
  const failing = expect(runGit(['fetch', url, 'main'], run, caller.signal)).rejects.toThrow(
    'enough',
  )
  const socket = await connected
  caller.abort(new Error('enough'))
  await once(socket, 'close')
  await failing
  close()
})

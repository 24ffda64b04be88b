import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startEmbeddedRedis } from './embedded-redis.ts'
import { connectRedis, replyUnless, requireUsableRedis } from './redis.ts'

function connect(url: string, patience: 'fail_fast' | 'wait' = 'wait') {
  const redis = connectRedis(url, 'redis-test', patience).on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return redis
}

async function startOwnRedis() {
  const dataDir = await mkdtemp(join(tmpdir(), 'hyperguild-redis-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const server = await startEmbeddedRedis({ dataDir })
  onTestFinished(() => server.close())
  return server
}

test('a Redis that keeps what it is given is accepted', async () => {
  await requireUsableRedis(connect(inject('redisUrl')), 5000)
})

test('a Redis that evicts keys is refused with the command that mends it', async () => {
  const { url } = await startOwnRedis()
  const redis = connect(url)
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await expect(requireUsableRedis(redis, 5000)).rejects.toThrow(
    'REDIS_URL: the server evicts keys (maxmemory-policy allkeys-lru), which loses jobs; run: redis-cli CONFIG SET maxmemory-policy noeviction',
  )
})

test('where nobody answers, the address is told without the password', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const waiting = requireUsableRedis(connect(`redis://:secret@127.0.0.1:${port}`), 1)
  await expect(waiting).rejects.toThrow(ConfigError)
  await expect(waiting).rejects.toThrow(`no Redis answers at 127.0.0.1:${port}`)
  await expect(waiting).rejects.not.toThrow('secret')
})

test('who has no patience is told at once that Redis is away', async () => {
  const { url, close } = await startOwnRedis()
  const redis = connect(url, 'fail_fast')
  await requireUsableRedis(redis, 5000)
  await close()
  await expect(redis.ping()).rejects.toThrow()
})

test('waiting for a reply ends when somebody says so, also while Redis is away', async () => {
  const { url, close } = await startOwnRedis()
  const redis = connect(url)
  await requireUsableRedis(redis, 5000)
  await close()
  const stop = new AbortController()
  const reply = replyUnless(stop.signal, redis.ping())
  const ended = expect(reply).rejects.toThrow('enough')
  stop.abort(new Error('enough'))
  await ended
  await expect(replyUnless(stop.signal, new Promise(() => {}))).rejects.toThrow('enough')
})

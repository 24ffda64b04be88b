import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { ConfigError } from '@hyperguild/core/errors.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startOwnRedis } from './own-redis.fixture.ts'
import { connectRedis, replyUnless, requireUsableRedis } from './redis.ts'
import { startTcpProxy } from './tcp-proxy.fixture.ts'

function connect(url: string, patience: 'fail_fast' | 'wait' = 'wait') {
  const redis = connectRedis(url, 'redis-test', patience).on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return redis
}

test('a Redis that keeps what it is given is accepted', async () => {
  await requireUsableRedis(connect(inject('redisUrl')), 5000)
})

test('a Redis that evicts keys is refused with the command that mends it', async () => {
  const { url } = await startOwnRedis(onTestFinished)
  const redis = connect(url)
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await expect(requireUsableRedis(redis, 5000)).rejects.toThrow(
    'REDIS_URL: the server evicts keys (maxmemory-policy allkeys-lru), which loses jobs; run: redis-cli CONFIG SET maxmemory-policy noeviction',
  )
})

test('a Redis that is too old is refused with what it must be', async () => {
  const { url, port } = await startOwnRedis(onTestFinished)
  // As long as the true one, which the protocol has counted.
  const older = (version: string) => version.replaceAll(/\d/g, '6')
  const proxy = await startTcpProxy(onTestFinished, port, (said) =>
    Buffer.from(said.toString('latin1').replace(/redis_version:[\d.]+/, older), 'latin1'),
  )
  await expect(requireUsableRedis(connect(proxy.urlOf(url)), 5000)).rejects.toThrow(
    /REDIS_URL: the server is version 6+\.6+; hyperguild needs 7\.0 or newer/,
  )
})

test('a Redis that takes no more connections is told as what keeps a service from starting', async () => {
  const { url, tell } = await startOwnRedis(onTestFinished)
  const first = connect(url)
  await requireUsableRedis(first, 5000)
  await tell('CONFIG', 'SET', 'maxclients', 1)
  await expect(requireUsableRedis(connect(url), 1000)).rejects.toThrow('no Redis answers at')
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
  const { url, stop: close } = await startOwnRedis(onTestFinished)
  const redis = connect(url, 'fail_fast')
  await requireUsableRedis(redis, 5000)
  await close()
  await expect(redis.ping()).rejects.toThrow()
})

test('waiting for a reply ends when somebody says so, also while Redis is away', async () => {
  const { url, stop: close } = await startOwnRedis(onTestFinished)
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

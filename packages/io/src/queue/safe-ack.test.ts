import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findAofFolder, syncAof } from './aof-file.ts'
import { keysFor } from './keys.ts'
import { startOwnRedis } from './own-redis.fixture.ts'
import { connectRedis, requireUsableRedis } from './redis.ts'
import { type AckMode, openAcknowledger } from './safe-ack.ts'
import { startTcpProxy } from './tcp-proxy.fixture.ts'

const atEnd = onTestFinished

async function connect(url: string) {
  const redis = connectRedis(url, 'ack-test', 'fail_fast').on('error', () => {})
  atEnd(() => redis.disconnect())
  await requireUsableRedis(redis, 10_000)
  return redis
}

/** Lets a server look like one whose process nobody here can see. */
function elsewhere(said: Buffer): Buffer {
  const text = said.toString('latin1')
  return Buffer.from(
    text.replace(/process_id:\d+/, (id) => id.replaceAll(/\d/g, '0')),
    'latin1',
  )
}

async function acknowledgerFor(
  redis: Awaited<ReturnType<typeof connect>>,
  mode: AckMode = 'fsync',
) {
  const acknowledger = await openAcknowledger({ redis, keys: keysFor('test'), mode })
  atEnd(() => acknowledger.close())
  return acknowledger
}

test('beside a Redis on this machine the gateway puts its file on disk, and all who ask are answered', async () => {
  const server = await startOwnRedis(atEnd)
  const redis = await connect(server.url)
  const { basis, warning, safe } = await acknowledgerFor(redis)
  expect({ basis, warning }).toEqual({
    basis: 'the gateway writes the file of Redis to disk',
    warning: null,
  })
  const writes = Array.from({ length: 50 }, async (_, index) => {
    await redis.set(`key-${index}`, index)
    await safe()
  })
  await Promise.all(writes)
  await server.kill()
  await server.start()
  const again = await connect(server.url)
  expect(await again.dbsize()).toBe(50)
})

test('the file that is put on disk is the one Redis writes to, also after it was written anew', async () => {
  const server = await startOwnRedis(atEnd)
  const redis = await connect(server.url)
  const folder = (await findAofFolder(redis))!
  const [, dir] = (await redis.config('GET', 'dir')) as string[]
  expect(folder).toBe(join(dir!, 'appendonlydir'))
  const before = await readdir(folder)
  await redis.call('BGREWRITEAOF')
  await expect.poll(() => readdir(folder), { timeout: 10_000 }).not.toEqual(before)
  expect(await syncAof(folder)).toBeGreaterThan(0)
  expect(await findAofFolder(redis)).toBe(folder)
})

test('a Redis that answers from elsewhere with the folder of another one is not taken for ours', async () => {
  const server = await startOwnRedis(atEnd)
  const proxy = await startTcpProxy(atEnd, server.port, elsewhere)
  expect(await findAofFolder(await connect(proxy.urlOf(server.url)))).toBeNull()
})

test('a Redis that writes to disk before it answers needs nothing more', async () => {
  const server = await startOwnRedis(atEnd, { fsync: 'always' })
  const { basis, warning } = await acknowledgerFor(await connect(server.url))
  expect({ basis, warning }).toEqual({
    basis: 'Redis writes to disk before it answers',
    warning: null,
  })
})

test.each([
  ['appendonly', 'keeps no append-only file', 'redis-cli CONFIG SET appendonly yes'],
  ['appendfsync', 'leaves it to the system', 'redis-cli CONFIG SET appendfsync always'],
])(
  '%s no is refused with the command that mends it, unless loss is accepted',
  async (setting, problem, command) => {
    const server = await startOwnRedis(atEnd)
    const redis = await connect(server.url)
    await redis.config('SET', setting, 'no')
    const refused = acknowledgerFor(redis)
    await expect(refused).rejects.toThrow(problem)
    await expect(refused).rejects.toThrow(command)
    await expect(refused).rejects.toThrow('HYPERGUILD_ACK=memory')
    expect(await acknowledgerFor(redis, 'memory')).toMatchObject({ warning: null })
  },
)

test('from a Redis elsewhere that writes once a second the operator is told what may be lost', async () => {
  const server = await startOwnRedis(atEnd)
  const proxy = await startTcpProxy(atEnd, server.port, elsewhere)
  const redis = await connect(proxy.urlOf(server.url))
  const { warning, safe } = await acknowledgerFor(redis)
  const info = await redis.info('server')
  const isMended = /^redis_version:([89]|7\.2)/m.test(info) && !info.includes('valkey')
  if (isMended) expect(warning).toBeNull()
  else expect(warning).toMatch(/a power cut may take the last second.*appendfsync always/)
  await redis.set('a', 1)
  await safe()
  await server.kill()
  await server.start()
  expect(await (await connect(server.url)).get('a')).toBe('1')
})

test('what a disk does not confirm is not acknowledged', async () => {
  const server = await startOwnRedis(atEnd)
  const redis = await connect(server.url)
  const { safe } = await acknowledgerFor(redis)
  await server.kill()
  await expect(safe()).rejects.toThrow()
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { askWarm } from './warm-state.ts'

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** A server that answers `/running` with this body, or never when there is none. */
async function serveRunning(body: string | null, status = 200): Promise<string> {
  const server = createServer((req, res) => {
    if (body !== null && req.url === '/running') res.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    return closed
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('askWarm', () => {
  it('is true only for a model that has loaded', async () => {
    const script = 'memory_slots: 2\nload_ms: {slow: 3600000}\nrules: [{text: hi}]'
    const models = await startSimulatedModels({ script: parseScript(script, 'test.yaml') })
    closers.push(models.close)
    const abort = new AbortController()
    const call = (model: string) =>
      fetch(`${models.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ model, messages: [] }),
        signal: abort.signal,
      })
    const ask = (model: string) =>
      askWarm({ llamaSwapUrl: `${models.url}/`, model, timeoutMs: 5000 })
    expect(await ask('ollama/small')).toBe(false)
    await call('ollama/small')
    expect(await ask('ollama/small')).toBe(true)
    expect(await ask('small')).toBe(true)
    const slow = expect(call('ollama/slow')).rejects.toThrow()
    await models.waitForCall((one) => one.model === 'ollama/slow')
    expect(await ask('ollama/slow')).toBe(false)
    abort.abort()
    await slow
  })

  it.each([
    ['an error', '{"running":[{"model":"small","state":"ready"}]}', 500],
    ['no JSON', 'OK', 200],
    ['another shape', '{"running":[{"model":"small"}]}', 200],
    ['no answer in time', null, 200],
  ])('takes %s for cold', async (_what, body, status) => {
    const llamaSwapUrl = await serveRunning(body, status)
    expect(await askWarm({ llamaSwapUrl, model: 'small', timeoutMs: 50 })).toBe(false)
  })

  it('takes a server that is not there for cold', async () => {
    expect(await askWarm({ llamaSwapUrl: 'http://127.0.0.1:9', model: 'small' })).toBe(false)
  })
})

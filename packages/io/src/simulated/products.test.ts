import { expect, onTestFinished, test } from 'vitest'
import type { SimulatedKind } from './products.ts'
import { parseScript } from './script.ts'
import { startSimulatedModels } from './server.ts'

async function start(
  kind: SimulatedKind,
  script = 'rules: [{model: small, reasoning: hm, text: hi}]',
) {
  const models = await startSimulatedModels({ script: parseScript(script, 'test.yaml'), kind })
  onTestFinished(() => models.close())
  const get = async (path: string) => {
    const response = await fetch(models.url + path)
    return { status: response.status, body: (await response.json()) as unknown }
  }
  const ask = (body: object = {}) =>
    fetch(`${models.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'x' }], ...body }),
    })
  return { ...models, get, ask }
}

test.each([
  ['ollama', 'reasoning'],
  ['vllm', 'reasoning'],
  ['llama-cpp', 'reasoning_content'],
  ['lm-studio', 'reasoning_content'],
] as const)('%s thinks in %s', async (kind, field) => {
  const { ask } = await start(kind)
  expect(await (await ask()).json()).toMatchObject({ choices: [{ message: { [field]: 'hm' } }] })
  const options = { stream: true, stream_options: { include_usage: true } }
  expect(await (await ask(options)).text()).toContain(`{"${field}":"hm"}`)
})

test('llama-cpp tells how long it read and wrote, whole and in the last event', async () => {
  const { ask } = await start('llama-cpp')
  expect(await (await ask()).json()).toMatchObject({ timings: { cache_n: 0, prompt_n: 1 } })
  const events = await (await ask({ stream: true, stream_options: { include_usage: true } })).text()
  expect(events).toContain('"timings":{')
})

test('llama-cpp answers nothing but that it loads, until it has loaded', async () => {
  const { ask, get } = await start('llama-cpp', 'load_ms: {small: 3600000}\nrules: [{text: hi}]')
  const loading = { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }
  for (const path of ['/health', '/props', '/slots', '/v1/models']) {
    expect(await get(path)).toEqual({ status: 503, body: loading })
  }
  expect(await (await ask()).json()).toEqual(loading)
})

test('litellm tells cost and deployment in headers, and its models by its own names', async () => {
  const { ask, get } = await start('litellm')
  const { headers } = await ask()
  expect(headers.get('x-litellm-response-cost')).toBe('0.00042')
  expect(headers.get('x-litellm-model-id')).toBe('simulated-deployment')
  expect((await get('/model/info')).body).toMatchObject({ data: [{ model_name: 'ollama/small' }] })
})

test('ollama tags its models and tells the context each was loaded with', async () => {
  const { ask, get } = await start('ollama')
  expect((await get('/api/tags')).body).toMatchObject({ models: [{ name: 'small:latest' }] })
  expect((await get('/api/ps')).body).toEqual({ models: [] })
  await (await ask()).text()
  expect((await get('/api/ps')).body).toMatchObject({
    models: [{ name: 'small:latest', context_length: 4096 }],
  })
})

test('llama-swap writes into the reasoning stream while a model loads, and then goes on', async () => {
  const { ask } = await start('llama-swap', 'load_ms: {small: 1}\nrules: [{text: hi}]')
  const events = await (await ask({ stream: true })).text()
  expect(events).toMatch(/llama-swap loading model: small[\s\S]*"content":"hi"[\s\S]*\[DONE\]/)
})

test('a product serves its own protocol and pages only', async () => {
  const statusOf = async (kind: SimulatedKind, path: string) => {
    const { url } = await start(kind)
    return (await fetch(url + path, { method: path.startsWith('/v1/') ? 'POST' : 'GET' })).status
  }
  expect(await statusOf('anthropic', '/v1/chat/completions')).toBe(404)
  expect(await statusOf('ollama', '/v1/messages')).toBe(404)
  expect(await statusOf('ollama', '/running')).toBe(404)
  expect(await statusOf('every', '/running')).toBe(200)
})

test('a server with a key answers nobody without it', async () => {
  const { ask, url } = await start('vllm', 'api_key: secret\nrules: [{model: small, text: hi}]')
  expect((await ask()).status).toBe(401)
  expect((await fetch(`${url}/v1/models`)).status).toBe(401)
  const headers = { authorization: 'Bearer secret' }
  expect((await fetch(`${url}/v1/models`, { headers })).status).toBe(200)
})

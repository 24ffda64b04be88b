import { expect, onTestFinished, test } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { findLocalServers } from './discover.ts'

test('servers at their usual places are found with their models, other programs are not', async () => {
  const script = parseScript('rules: [{model: small, text: hi}]', 'test.yaml')
  const start = async (kind: 'ollama' | 'llama-swap', of = script) => {
    const models = await startSimulatedModels({ script: of, kind })
    onTestFinished(() => models.close())
    return models.url
  }
  const [ollama, swap] = [await start('ollama'), await start('llama-swap')]
  const found = await findLocalServers({
    timeoutMs: 5000,
    places: [
      { kind: 'ollama', url: ollama },
      { kind: 'lm-studio', url: ollama },
      { kind: 'llama-swap', url: swap },
      { kind: 'llama-cpp', url: swap },
      { kind: 'litellm', url: swap },
      { kind: 'litellm', url: 'http://127.0.0.1:9' },
    ],
  })
  expect(found).toEqual([
    { kind: 'ollama', url: ollama, models: ['small:latest'], wantsKey: false },
    { kind: 'llama-swap', url: swap, models: ['small'], wantsKey: false },
  ])
})

test('a LiteLLM that wants a key is found without its models', async () => {
  const script = parseScript('api_key: secret\nrules: [{model: small, text: hi}]', 'test.yaml')
  const models = await startSimulatedModels({ script, kind: 'litellm' })
  onTestFinished(() => models.close())
  const places = [{ kind: 'litellm', url: models.url }] as const
  expect(await findLocalServers({ places, timeoutMs: 5000 })).toEqual([
    { kind: 'litellm', url: models.url, models: [], wantsKey: true },
  ])
})

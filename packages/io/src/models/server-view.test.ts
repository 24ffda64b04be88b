import { expect, onTestFinished, test } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { type Endpoint, findEndpoint, type Places } from './endpoints.ts'
import type { Probe } from './probe.ts'
import { viewServers } from './server-view.ts'

const PLACES: Places = {
  litellmBaseUrl: undefined,
  litellmApiKey: undefined,
  localKind: 'litellm',
  anthropicApiKey: undefined,
  anthropicBaseUrl: undefined,
}

async function simulate() {
  const script = parseScript(
    'rules: [{model: small, text: hi}, {model: big, text: hi}]',
    'test.yaml',
  )
  const models = await startSimulatedModels({ script, kind: 'ollama' })
  onTestFinished(() => models.close())
  const config = { backends: { box: { kind: 'ollama', url: models.url } } } as const
  const endpoints = ['ollama/small', 'ollama/big'].map(
    (model) => findEndpoint(config, PLACES, model) as Endpoint,
  )
  return { models, endpoints }
}

test('what is in memory and what is wrong is known after the first look, and kept up to date', async () => {
  const { models, endpoints } = await simulate()
  const changes: string[] = []
  let changed = Promise.withResolvers<void>()
  const onChange = (server: string, { problem }: Probe) => {
    changes.push(`${server}: ${problem ?? 'fine'}`)
    changed.resolve()
  }
  const body = JSON.stringify({ model: 'small', messages: [] })
  await (await fetch(`${models.url}/v1/chat/completions`, { method: 'POST', body })).text()
  const view = await viewServers({ endpoints, everyMs: 5, onChange })
  onTestFinished(() => view.close())
  expect(view.seen()).toEqual({ name: 'box', reachable: true, warm: ['ollama/small'] })
  expect(changes).toEqual(['box: fine'])
  changed = Promise.withResolvers()
  await models.close()
  await changed.promise
  expect(changes[1]).toMatch(/^box: .*cannot be reached/)
  await expect.poll(() => view.seen()).toEqual({ name: 'box', reachable: false, warm: [] })
})

test('a worker whose models have no server reaches none', async () => {
  const view = await viewServers({ endpoints: [], onChange: () => {} })
  onTestFinished(() => view.close())
  expect(view.seen()).toEqual({ name: '', reachable: false, warm: [] })
})

test('a server that is not there does not keep a worker from starting', async () => {
  const { models, endpoints } = await simulate()
  await models.close()
  const view = await viewServers({ endpoints, everyMs: 60_000, onChange: () => {} })
  onTestFinished(() => view.close())
  expect(view.seen()).toMatchObject({ reachable: false })
})

import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import { parseScript } from '@hyperguild/io/simulated/script.ts'
import { startSimulatedModels } from '@hyperguild/io/simulated/server.ts'
import { expect, onTestFinished, test } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { startTestFleet } from './test-fleet.ts'

const GOOD = 'answer: {message: Nothing to complain about., findings: []}'
const JUDGE = 'rules: [{skill: verifier, answer: {accept: true, feedback: Fine.}}]'

/** A fleet whose local model `box/small` is at a server of its own kind, and whose verifier is where it always is. */
async function startFleet(kind: BackendKind, script: string, settings = '{}') {
  const box = await startSimulatedModels({ script: parseScript(script, 'box.yaml'), kind })
  onTestFinished(() => box.close())
  const chains = `verifier: claude-judge
default_chain: [box/small]
backends:
  box: {kind: ${kind}, url: ${box.url}}
models:
  box/small: ${settings}
`
  const environment = { HYPERGUILD_SANDBOX: 'none' }
  const fleet = await startTestFleet({ script: JUDGE, chains, environment })
  const call = await connectCaller(fleet)
  const project_root = await fleet.writeProject({ 'cart.js': 'export const total = 1\n' })
  return { box, call, review: () => call('review', { project_root, files: ['cart.js'] }) }
}

test('a job goes to the server its model names, under the name the model has there', async () => {
  const { box, review } = await startFleet('ollama', `rules: [{model: small, ${GOOD}}]`)
  const first = await review()
  expect(first.result.attempts).toMatchObject([
    { model: 'box/small', verdict: 'accept', warm_start: false },
  ])
  const second = await review()
  expect(second.result.attempts).toMatchObject([{ verdict: 'accept', warm_start: true }])
  expect(box.calls().map(({ model }) => model)).toEqual(['small', 'small'])
})

test('a server without tools is worked with in text, at the price of one refused call', async () => {
  const script = `toolless: [small]\nrules: [{model: small, ${GOOD}}]`
  const { box, review } = await startFleet('ollama', script)
  expect((await review()).result).toMatchObject({ status: 'pass', model_used: 'box/small' })
  expect(box.calls().map(({ offersTools }) => offersTools)).toEqual([true, false])
})

test('settings of a model reach its server: tools in text at once, less thinking', async () => {
  const script = `toolless: [small]\nrules: [{model: small, ${GOOD}}]`
  const { box, review } = await startFleet('ollama', script, '{tools: text, reasoning: off}')
  expect((await review()).result.status).toBe('pass')
  const [call, ...more] = box.calls()
  expect(more).toEqual([])
  expect(call).toMatchObject({ offersTools: false, body: { reasoning_effort: 'none' } })
  expect(call?.system).toContain('read_file')
})

test('the tool named tier tells the server, and which model it has in memory', async () => {
  const { call, review } = await startFleet('llama-cpp', `rules: [{model: small, ${GOOD}}]`)
  await review()
  const { result } = await call('tier', {})
  expect(result).toMatchObject({
    tiers: [{ tier: 'local', reachable: true, backends: ['box'] }, { tier: 'cloud' }],
  })
})

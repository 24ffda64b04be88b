import { expect, onTestFinished, test } from 'vitest'
import { parseScript } from '../simulated/script.ts'
import { startSimulatedModels } from '../simulated/server.ts'
import { createCapabilityProbe } from './capabilities.ts'
import { createChatModel } from './chat-model.ts'

const NEVER = new AbortController().signal

async function probeOf(script: string) {
  const models = await startSimulatedModels({ script: parseScript(script, 'test.yaml') })
  onTestFinished(() => models.close())
  const chat = createChatModel({ local: { baseUrl: models.url }, cloud: null })
  return { models, capabilitiesOf: createCapabilityProbe(chat) }
}

const CALL = '{when: Call the tool, turns: [{tool: report, input: {state: ready}}]}'

test('a model that answers in shape and calls the tool can do both', async () => {
  const { capabilitiesOf } = await probeOf(`rules: [${CALL}, {answer: {door: open}}]`)
  expect(await capabilitiesOf('small', NEVER)).toMatchObject({
    schema: 'honoured',
    tools: 'honoured',
  })
})

test.each([
  ['words instead of the shape', '{text: It is open.}', { schema: 'ignored', tools: 'ignored' }],
  ['another shape', '{answer: {door: ajar}}', { schema: 'ignored' }],
  ['a call written as text', '{text: "report(ready)"}', { tools: 'ignored' }],
  [
    'a server without tools',
    '{when: Call the tool, error: {status: 400, message: x does not support tools}}, {answer: {door: open}}',
    { schema: 'honoured', tools: 'refused', problem: expect.stringContaining('tools: text') },
  ],
  [
    'a server that takes no schema',
    '{error: {status: 400, message: response_format is not supported}}',
    { schema: 'refused' },
  ],
  ['a server that fails', '{error: {status: 500}}', { schema: 'failed', tools: 'failed' }],
])('%s is told as such', async (_what, rules, expected) => {
  const { capabilitiesOf } = await probeOf(`rules: [${rules}]`)
  expect(await capabilitiesOf('small', NEVER)).toMatchObject(expected)
})

test('a model is called twice, however often it is asked about', async () => {
  const { models, capabilitiesOf } = await probeOf(`rules: [${CALL}, {answer: {door: open}}]`)
  const [first, again] = await Promise.all([
    capabilitiesOf('small', NEVER),
    capabilitiesOf('small', NEVER),
  ])
  expect(again).toEqual(first)
  expect(models.calls()).toHaveLength(2)
})

import {
  type ChatModel,
  type ChatReply,
  type ChatRequest,
  NO_USAGE,
} from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { expect, test } from 'vitest'
import { startStepChat } from './step-chat.ts'

const timeouts = { firstTokenMs: 60, coldStartMs: 300, stallMs: 50 }
const request: ChatRequest = { model: 'm', system: '', messages: [], maxOutputTokens: 9 }
const reply: ChatReply = { text: 'ok', toolCalls: [], stop: 'end', usage: NO_USAGE }

/** A step's calls of a model that answers so, one after the other. */
async function callsOf(isCold: boolean, answers: (ChatReply | ModelFailure)[]) {
  const asked: ChatRequest[] = []
  const charged: unknown[] = []
  const chat: ChatModel = async (one) => {
    asked.push(one)
    const answer = answers[asked.length - 1]!
    if (answer instanceof ModelFailure) throw answer
    return answer
  }
  const limits = { charge: async (...call: unknown[]) => void charged.push(call) }
  const step = startStepChat({ chat, timeouts, limits, isCold })
  for (const _ of answers) await step.chat(request, AbortSignal.any([])).catch(() => {})
  return { charged, firstTokenMs: asked.map((one) => one.timeouts?.firstTokenMs), asked, step }
}

test('a cold model has time to load until it has answered once', async () => {
  const busy = new ModelFailure('overloaded', 'loading')
  expect((await callsOf(true, [busy, reply, reply])).firstTokenMs).toEqual([360, 360, 60])
  expect((await callsOf(false, [reply, reply])).firstTokenMs).toEqual([60, 60])
})

test('silence in the middle of an answer has a limit of its own', async () => {
  const { asked } = await callsOf(true, [reply])
  expect(asked[0]!.timeouts?.stallMs).toBe(50)
})

test('all calls but the first, which was paid on entry, and all tokens are charged', async () => {
  const usage = { ...NO_USAGE, inputTokens: 100, cacheReadTokens: 80, outputTokens: 7 }
  const spent = new ModelFailure('bad_output', 'empty', { usage })
  const { charged } = await callsOf(false, [{ ...reply, usage }, reply, spent])
  expect(charged).toEqual([
    ['m', { requests: 0, tokens: 27 }],
    ['m', { requests: 1, tokens: 0 }],
    ['m', { requests: 1, tokens: 27 }],
  ])
})

test('the load time is that of the call that loaded', async () => {
  const loaded = { ...reply, loadMs: 1200 }
  const { step } = await callsOf(true, [loaded, { ...reply, loadMs: 0 }])
  expect(step.loadMs()).toBe(1200)
  expect((await callsOf(true, [reply])).step.loadMs()).toBeUndefined()
})

test('calls that a program made by itself are charged alike, together', async () => {
  const usage = { ...NO_USAGE, inputTokens: 100, cacheReadTokens: 80, outputTokens: 7 }
  const { step, charged } = await callsOf(false, [])
  await step.count('m', [usage, usage, NO_USAGE])
  await step.count('m', [usage])
  expect(charged).toEqual([
    ['m', { requests: 2, tokens: 54 }],
    ['m', { requests: 1, tokens: 27 }],
  ])
})

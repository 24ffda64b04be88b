import type { ChatModel, ChatReply, ChatRequest } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { JsonSchema } from '@hyperguild/core/json-schema.ts'

/** `ignored`: the server took the request and the model did otherwise. */
export type Honoured = 'honoured' | 'ignored' | 'refused' | 'failed'

/** What two small calls showed of a model at its server. */
export interface Capabilities {
  /** An answer of a given shape, although the prompt does not ask for one. */
  schema: Honoured
  /** A tool called as the protocol has it. */
  tools: Honoured
  /** Of the first call; it includes loading the model when that was cold. */
  latencyMs: number
  /** Why a call failed. */
  problem?: string
}

const OPEN_OR_CLOSED: JsonSchema = {
  type: 'object',
  properties: { door: { type: 'string', enum: ['open', 'closed'] } },
  required: ['door'],
  additionalProperties: false,
}

const REPORT = {
  name: 'report',
  description: 'Reports that you are ready.',
  input: {
    type: 'object',
    properties: { state: { type: 'string' } },
    required: ['state'],
    additionalProperties: false,
  },
}

/** Enough for a model that thinks first. */
const OUTPUT_TOKENS = 2048

/**
 * Finds out what a model can do by really calling it, once per model: two calls that cost tokens, and load the model
 * when it is not in memory.
 */
export function createCapabilityProbe(
  chat: ChatModel,
): (model: string, signal: AbortSignal) => Promise<Capabilities> {
  const known = new Map<string, Promise<Capabilities>>()
  return (model, signal) => {
    const found = known.get(model) ?? findCapabilities(chat, model, signal)
    known.set(model, found)
    return found
  }
}

async function findCapabilities(
  chat: ChatModel,
  model: string,
  signal: AbortSignal,
): Promise<Capabilities> {
  const ask = async (
    parts: Partial<ChatRequest>,
    text: string,
    isDone: (r: ChatReply) => boolean,
  ) =>
    tryOut(async () => {
      const messages = [{ role: 'user', text }] as const
      const system = '# probe\n\nDo as you are asked, in as few words as you can.'
      const request = { model, system, messages, maxOutputTokens: OUTPUT_TOKENS, ...parts }
      return isDone(await chat(request, signal))
    })
  const startedAtMs = performance.now()
  const schema = await ask(
    { answerSchema: OPEN_OR_CLOSED },
    'Is the door open or closed? Guess.',
    ({ text }) => isShaped(text),
  )
  const latencyMs = Math.round(performance.now() - startedAtMs)
  const tools = await ask(
    { tools: [REPORT] },
    'Call the tool report with the state "ready".',
    ({ toolCalls }) => toolCalls.some(({ name }) => name === 'report'),
  )
  const problem = schema.problem ?? tools.problem
  const capabilities = { schema: schema.outcome, tools: tools.outcome, latencyMs }
  return problem === undefined ? capabilities : { ...capabilities, problem }
}

async function tryOut(
  call: () => Promise<boolean>,
): Promise<{ outcome: Honoured; problem?: string }> {
  try {
    return { outcome: (await call()) ? 'honoured' : 'ignored' }
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    const { failure, message } = error
    // The server understood the request and turned it down: that is what was to be found out.
    const isRefusal = failure === 'tools_unsupported' || failure === 'internal'
    return { outcome: isRefusal ? 'refused' : 'failed', problem: message }
  }
}

function isShaped(text: string): boolean {
  try {
    const { door } = JSON.parse(text)
    return door === 'open' || door === 'closed'
  } catch {
    return false
  }
}

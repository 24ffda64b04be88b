import { randomBytes } from 'node:crypto'
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { ToolEntry } from '../mcp-session.ts'
import { fixture, said } from './mcp-fixture.ts'

/** Seals what a client carries from one round of a request to the next. */
export const roundState = createRequestStateCodec<Record<string, unknown>>({
  key: randomBytes(32),
})

const ASK_FOR = {
  name: () => elicit('What is your name?', 'name'),
  capital: () => complete('What is the capital of France?'),
  greeting: () => complete('Generate a short greeting'),
  roots: () => inputRequired.listRoots(),
}

/** Tools that need something from their caller before they can answer (SEP-2322). */
export const ROUND_TOOLS: readonly ToolEntry[] = [
  fixture('test_missing_capability', (ctx) =>
    responseTo(ctx, 'llm_answer')
      ? said('complete')
      : inputRequired({ inputRequests: { llm_answer: complete('Say pong') } }),
  ),
  fixture('test_input_required_result_elicitation', (ctx) => {
    const name = textFrom(ctx, 'user_name', 'name')
    return name === undefined
      ? inputRequired({ inputRequests: { user_name: ASK_FOR.name() } })
      : said(`Hello, ${name}!`)
  }),
  fixture('test_input_required_result_sampling', (ctx) => {
    const answer = responseTo(ctx, 'capital_question')
    return answer
      ? said(`Sampling response: ${JSON.stringify(answer)}`)
      : inputRequired({ inputRequests: { capital_question: ASK_FOR.capital() } })
  }),
  fixture('test_input_required_result_list_roots', (ctx) => {
    const answer = responseTo(ctx, 'client_roots')
    return answer
      ? said(`Roots: ${JSON.stringify(answer)}`)
      : inputRequired({ inputRequests: { client_roots: ASK_FOR.roots() } })
  }),
  fixture('test_input_required_result_request_state', (ctx) => confirmed(ctx, 'state-ok')),
  fixture('test_input_required_result_tampered_state', (ctx) => confirmed(ctx, 'integrity-ok')),
  fixture('test_input_required_result_multiple_inputs', async (ctx) => {
    const name = textFrom(ctx, 'user_name', 'name')
    const others = ['greeting', 'client_roots'].map((key) => responseTo(ctx, key))
    if (name !== undefined && others.every(Boolean)) return said(`Hello, ${name}`)
    const inputRequests = {
      user_name: ASK_FOR.name(),
      greeting: ASK_FOR.greeting(),
      client_roots: ASK_FOR.roots(),
    }
    return inputRequired({ inputRequests, requestState: await sealed(1) })
  }),
  fixture('test_input_required_result_multi_round', async (ctx) => {
    const round = ctx.mcpReq.requestState<{ round?: number }>()?.round ?? 0
    if (round === 0) {
      const inputRequests = { step1: elicit('Step 1: What is your name?', 'name') }
      return inputRequired({ inputRequests, requestState: await sealed(1) })
    }
    if (round === 1) {
      const inputRequests = { step2: elicit('Step 2: What is your favorite color?', 'color') }
      return inputRequired({ inputRequests, requestState: await sealed(2) })
    }
    return said(`Rounds complete: ${textFrom(ctx, 'step2', 'color')}`)
  }),
  fixture('test_input_required_result_capabilities', (ctx) => {
    if (ctx.mcpReq.inputResponses !== undefined) return said('complete')
    const envelope = ctx.mcpReq.envelope as { [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities }
    const declared = envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}
    const inputRequests: InputRequests = {
      ...(declared.elicitation ? { user_name: ASK_FOR.name() } : {}),
      ...(declared.sampling ? { greeting: ASK_FOR.greeting() } : {}),
      ...(declared.roots ? { client_roots: ASK_FOR.roots() } : {}),
    }
    return Object.keys(inputRequests).length === 0
      ? said('nothing can be asked of this client')
      : inputRequired({ inputRequests })
  }),
]

export function elicit(message: string, field: string) {
  const properties = { [field]: { type: 'string' as const } }
  return inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties, required: [field] },
  })
}

function confirm() {
  const properties = { ok: { type: 'boolean' as const } }
  return inputRequired.elicit({
    message: 'Please confirm',
    requestedSchema: { type: 'object', properties, required: ['ok'] },
  })
}

/** A text that the caller gave in answer to a question. */
export function textFrom(ctx: ServerContext, key: string, field: string): string | undefined {
  const content = acceptedContent<Record<string, unknown>>(ctx.mcpReq.inputResponses, key)
  const text = content?.[field]
  return typeof text === 'string' ? text : undefined
}

function complete(text: string) {
  const messages = [{ role: 'user' as const, content: { type: 'text' as const, text } }]
  return inputRequired.createMessage({ messages, maxTokens: 100 })
}

function responseTo(ctx: ServerContext, key: string): unknown {
  return ctx.mcpReq.inputResponses?.[key]
}

async function confirmed(ctx: ServerContext, text: string) {
  const isConfirmed = acceptedContent(ctx.mcpReq.inputResponses, 'confirm') !== undefined
  if (isConfirmed && ctx.mcpReq.requestState() !== undefined) return said(text)
  return inputRequired({
    inputRequests: { confirm: confirm() },
    requestState: await sealed(1),
  }) satisfies InputRequiredResult
}

function sealed(round: number): Promise<string> {
  return roundState.mint({ round, nonce: randomBytes(8).toString('hex') })
}

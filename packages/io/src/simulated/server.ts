import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpBindings, serve } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { serverNameOf, tierOf } from '@hyperguild/core/model.ts'
import { type Context, Hono } from 'hono'
import { anthropicWire } from './anthropic-wire.ts'
import { createRuleBook, say } from './choose-reply.ts'
import type { Asked, Said, Wire } from './exchange.ts'
import { createJournal, type Journal, type RecordedCall } from './journal.ts'
import { createModelMemory, type ModelMemory } from './model-memory.ts'
import { openAiWire } from './openai-wire.ts'
import type { Rule, Script } from './script.ts'

export interface SimulatedModels extends Pick<Journal, 'calls' | 'waitForCall'> {
  /** Without a trailing slash; serves as LiteLLM, as llama-swap and as Anthropic. */
  url: string
  close(): Promise<void>
}

type Env = { Bindings: HttpBindings }

interface Simulation {
  script: Script
  choose(asked: Asked): Rule | undefined
  memory: ModelMemory
  journal: Journal
  cachedSystems: Set<string>
  lastId: number
}

/**
 * Starts a server that speaks OpenAI chat completions, Anthropic messages and llama-swap's `/running`, and answers by a
 * script. The skill a call is for is read from the first heading of its system text.
 * @param options `port` 0, the default, takes a free one
 */
export async function startSimulatedModels(options: {
  script: Script
  port?: number
  host?: string
}): Promise<SimulatedModels> {
  const { script, port = 0, host = '127.0.0.1' } = options
  const journal = createJournal()
  const app = createApp({
    script,
    choose: createRuleBook(script),
    memory: createModelMemory(script.memory_slots, script.load_ms),
    journal,
    cachedSystems: new Set(),
    lastId: 0,
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<AddressInfo>()
  const server = serve({ fetch: app.fetch, port, hostname: host }, resolve)
  server.once('error', reject)
  const address = await listening
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    calls: journal.calls,
    waitForCall: journal.waitForCall,
    close: () => {
      journal.close()
      const closed = new Promise<void>((done) => server.close(() => done()))
      if ('closeAllConnections' in server) server.closeAllConnections()
      return closed
    },
  }
}

function createApp(simulation: Simulation): Hono<Env> {
  const app = new Hono<Env>()
  app.post('/v1/chat/completions', (c) => answer(simulation, openAiWire, c))
  app.post('/v1/messages', (c) => answer(simulation, anthropicWire, c))
  app.get('/v1/models', (c) => c.json(modelList(simulation.script)))
  app.get('/running', (c) => c.json({ running: simulation.memory.running().map(processOf) }))
  app.get('/health', (c) => c.text('OK'))
  return app
}

async function answer(simulation: Simulation, wire: Wire, c: Context<Env>): Promise<Response> {
  const asked = await readCall(wire, c)
  if (!asked) return c.json(wire.error(400, 'not a request of this API'), 400)
  const call: RecordedCall = { ...asked, ended: ended(c.env.outgoing) }
  simulation.journal.record(call)
  const rule = simulation.choose(asked)
  if (!rule) {
    const what = `no rule for skill "${asked.skill}" and model "${asked.model}"`
    return c.json(wire.error(404, `the simulation has ${what}`), 404)
  }
  if (rule.drop) {
    c.env.incoming.socket.destroy()
    return RESPONSE_ALREADY_SENT
  }
  const isLoadable = tierOf(asked.model) === 'local' && !rule.error
  const loading = isLoadable ? simulation.memory.load(serverNameOf(asked.model)) : undefined
  if (loading) await Promise.race([loading, call.ended])
  if (rule.delay_ms > 0) await pause(rule.delay_ms, call.ended)
  if (rule.hang) {
    await call.ended
    return RESPONSE_ALREADY_SENT
  }
  if (rule.error) return errorResponse(wire, rule.error)
  return speak(wire, asked, sayNext(simulation, rule, asked), rule, c.env.outgoing)
}

async function readCall(wire: Wire, c: Context<Env>): Promise<Asked | null> {
  try {
    return wire.read(await c.req.json())
  } catch {
    return null
  }
}

function sayNext(simulation: Simulation, rule: Rule, asked: Asked): Said {
  const cached = simulation.cachedSystems.has(asked.system)
  if (asked.cachesSystem && !cached) simulation.cachedSystems.add(asked.system)
  return say(rule, asked, `sim-${++simulation.lastId}`, cached)
}

function speak(
  wire: Wire,
  asked: Asked,
  said: Said,
  rule: Rule,
  outgoing: ServerResponse,
): Response {
  if (!asked.stream) return Response.json(wire.whole(said))
  const { opening, pieces, closing } = wire.events(said, asked)
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
  if (rule.stall_after_chunks === undefined) {
    return new Response(opening + pieces.join('') + closing, { headers })
  }
  outgoing.writeHead(200, headers)
  outgoing.write(opening + pieces.slice(0, rule.stall_after_chunks).join(''))
  return RESPONSE_ALREADY_SENT
}

function errorResponse(wire: Wire, error: NonNullable<Rule['error']>): Response {
  const { status, message, body, headers } = error
  if (typeof body === 'string') return new Response(body, { status, headers })
  return Response.json(body ?? wire.error(status, message), { status, headers })
}

function ended(outgoing: ServerResponse): RecordedCall['ended'] {
  return new Promise((resolve) => {
    outgoing.once('close', () => resolve(outgoing.writableFinished ? 'answered' : 'closed'))
  })
}

/** Waits, but not for longer than the client does. */
async function pause(ms: number, callEnded: Promise<unknown>): Promise<void> {
  const stop = new AbortController()
  const left = callEnded.then(() => stop.abort())
  await Promise.race([sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined), left])
}

/** @see https://github.com/mostlygeek/llama-swap internal/server/api.go for the shape */
function processOf(running: { model: string; state: string }) {
  return { ...running, cmd: '', proxy: '', ttl: 0, name: '', description: '' }
}

/** Holds what OpenAI's list and what Anthropic's list hold of each model. */
function modelList(script: Script) {
  const named = script.rules.flatMap((rule) => rule.model ?? [])
  const data = [...new Set([...named, ...script.load_ms.keys()])].map((id) => ({
    id,
    object: 'model',
    created: 0,
    owned_by: 'simulated',
    type: 'model',
    display_name: id,
    created_at: '2026-01-01T00:00:00Z',
  }))
  return { object: 'list', data, has_more: false, first_id: data[0]?.id, last_id: data.at(-1)?.id }
}

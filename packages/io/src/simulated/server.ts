import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpBindings, serve } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { serverNameOf, tierOf } from '@hyperguild/core/model.ts'
import { type Context, Hono } from 'hono'
import { createRuleBook, say } from './choose-reply.ts'
import type { Asked, Said, Wire } from './exchange.ts'
import { createJournal, type Journal, type RecordedCall } from './journal.ts'
import { createModelMemory } from './model-memory.ts'
import type { Machine } from './product-routes.ts'
import { PRODUCTS, type Product, type Refusal, type SimulatedKind } from './products.ts'
import type { Rule, Script } from './script.ts'

export interface SimulatedModels extends Pick<Journal, 'calls' | 'waitForCall'> {
  /** Without a trailing slash. */
  url: string
  close(): Promise<void>
}

type Env = { Bindings: HttpBindings }

interface Simulation extends Machine {
  product: Product
  choose(asked: Asked): Rule | undefined
  journal: Journal
  cachedSystems: Set<string>
  lastId: number
}

export interface SimulationOptions {
  script: Script
  /** Which product it stands for, with its quirks; all at once, without them, when absent. */
  kind?: SimulatedKind
  /** 0, the default, takes a free one. */
  port?: number
  host?: string
}

/**
 * Starts a server that speaks the protocols and answers the questions of a model server, by a script. The skill a call is
 * for is read from the first heading of its system text.
 */
export async function startSimulatedModels(options: SimulationOptions): Promise<SimulatedModels> {
  const { script, kind = 'every', port = 0, host = '127.0.0.1' } = options
  const simulation = simulate(script, PRODUCTS[kind])
  const { journal } = simulation
  const { promise: listening, resolve, reject } = Promise.withResolvers<AddressInfo>()
  const server = serve({ fetch: createApp(simulation).fetch, port, hostname: host }, resolve)
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

const USUAL_CONTEXT_TOKENS = 32_768

function simulate(script: Script, product: Product): Simulation {
  const journal = createJournal()
  const memory = createModelMemory(script.memory_slots, script.load_ms)
  // Such a server loads its models before it serves them, not when they are called.
  if (product.loading) for (const model of script.load_ms.keys()) void memory.load(model)
  return {
    script,
    product,
    memory,
    journal,
    choose: createRuleBook(script),
    cachedSystems: new Set(),
    lastId: 0,
    inFlight: journal.underWay,
    parallelCalls: script.parallel_calls ?? product.parallelCalls ?? null,
    contextTokens: script.context_tokens ?? product.contextTokens ?? USUAL_CONTEXT_TOKENS,
  }
}

function createApp(simulation: Simulation): Hono<Env> {
  const { product, script } = simulation
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    if (script.api_key === undefined || bringsKey(c, script.api_key)) return next()
    const [wire] = Object.values(product.wires)
    return c.json(wire!.error(401, 'invalid key') as object, 401)
  })
  for (const [path, wire] of Object.entries(product.wires)) {
    app.post(path, (c) => answer(simulation, wire, c))
  }
  for (const [path, route] of Object.entries(product.routes)) {
    app.get(path, (c) => route(simulation, new URL(c.req.url).searchParams))
  }
  return app
}

function bringsKey(c: Context<Env>, key: string): boolean {
  return c.req.header('x-api-key') === key || c.req.header('authorization') === `Bearer ${key}`
}

async function answer(simulation: Simulation, wire: Wire, c: Context<Env>): Promise<Response> {
  const asked = await readCall(wire, c)
  if (!asked) return c.json(wire.error(400, 'not a request of this API') as object, 400)
  const refusal = refusalOf(simulation, asked)
  const call: RecordedCall = { ...asked, ended: ended(c.env.outgoing) }
  simulation.journal.record(call)
  if (refusal) return refuse(wire, refusal)
  const rule = simulation.choose(asked)
  if (!rule) {
    const what = `no rule for skill "${asked.skill}" and model "${asked.model}"`
    return refuse(wire, { status: 404, message: `the simulation has ${what}` })
  }
  if (rule.drop) {
    c.env.incoming.socket.destroy()
    return RESPONSE_ALREADY_SENT
  }
  if (!rule.error) await load(simulation, wire, asked, call, c.env.outgoing)
  if (rule.delay_ms > 0) await pause(rule.delay_ms, call.ended)
  if (rule.hang) {
    await call.ended
    return RESPONSE_ALREADY_SENT
  }
  if (rule.error) return errorResponse(wire, rule.error)
  return speak(simulation, wire, asked, rule, c.env.outgoing)
}

/** What a product says instead of an answer, whatever the script says. */
function refusalOf(
  { product, script, memory, parallelCalls, inFlight }: Simulation,
  asked: Asked,
): Refusal | null {
  const { busy, loading, toolless } = product
  if (busy && parallelCalls !== null && inFlight() >= parallelCalls) return busy
  const name = serverNameOf(asked.model)
  if (asked.offersTools && toolless && script.toolless.includes(name)) return toolless(asked)
  const isLoading = memory
    .running()
    .some(({ model, state }) => model === name && state === 'starting')
  return loading && isLoading ? loading : null
}

function refuse(wire: Wire, { status, message, body }: Refusal): Response {
  return Response.json(body ?? wire.error(status, message), { status })
}

/** Waits for a local model to be in memory, as far as the client waits too. */
async function load(
  { product, memory }: Simulation,
  wire: Wire,
  asked: Asked,
  call: RecordedCall,
  outgoing: ServerResponse,
): Promise<void> {
  if (tierOf(asked.model) !== 'local') return
  const loading = memory.load(serverNameOf(asked.model))
  if (!loading) return
  if (product.talksWhileLoading && asked.stream) {
    const banner = { ...SILENT, model: asked.model, reasoning: loadingBanner(asked.model) }
    outgoing.writeHead(200, EVENT_STREAM)
    outgoing.write(wire.events(banner, asked).pieces.join(''))
  }
  await Promise.race([loading, call.ended])
}

const SILENT = { id: 'loading', text: '', calls: [], stop: 'end', usage: null } as const

/** As llama-swap writes it where `sendLoadingState` is on. */
function loadingBanner(model: string): string {
  return `━━━━━\nllama-swap loading model: ${serverNameOf(model)}\n`
}

async function readCall(wire: Wire, c: Context<Env>): Promise<Asked | null> {
  try {
    return wire.read(await c.req.json())
  } catch {
    return null
  }
}

function sayNext(simulation: Simulation, rule: Rule, asked: Asked): Said {
  const { cachedSystems, product, contextTokens } = simulation
  const cached = cachedSystems.has(asked.system)
  if (asked.cachesSystem && !cached) cachedSystems.add(asked.system)
  const said = say(rule, asked, `sim-${++simulation.lastId}`, cached)
  if (product.contextTokens === undefined || said.usage === null) return said
  const inputTokens = Math.min(said.usage.inputTokens, contextTokens)
  return { ...said, usage: { ...said.usage, inputTokens } }
}

const EVENT_STREAM = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }

function speak(
  simulation: Simulation,
  wire: Wire,
  asked: Asked,
  rule: Rule,
  outgoing: ServerResponse,
): Response {
  const said = sayNext(simulation, rule, asked)
  const own = simulation.product.headers?.(asked) ?? {}
  if (!asked.stream) return Response.json(wire.whole(said), { headers: own })
  const { opening, pieces, closing } = wire.events(said, asked)
  const headers = { ...EVENT_STREAM, ...own }
  const stallAfter = rule.stall_after_chunks
  if (stallAfter === undefined && !outgoing.headersSent) {
    return new Response(opening + pieces.join('') + closing, { headers })
  }
  if (!outgoing.headersSent) outgoing.writeHead(200, headers)
  outgoing.write(opening + pieces.slice(0, stallAfter).join(''))
  if (stallAfter === undefined) outgoing.end(closing)
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

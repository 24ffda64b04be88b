import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { searchPath } from '@hyperguild/io/config/environment.ts'
import { startChild } from '@hyperguild/io/process/child-service.ts'
import { askOnce, type Load, loadWith, type Target } from './kit/http-load.ts'
import { CLOUD_MODEL } from './kit/models.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'

const BARE_HTTP = fileURLToPath(new URL('kit/bare-http.ts', import.meta.url))
const CONNECTIONS = [1, 32, 256]
const VERSION = '2026-07-28'
const META = {
  'io.modelcontextprotocol/protocolVersion': VERSION,
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** The gateway's own share of a request, beside what it is built on, turn and turn about. */
export const gateway: Scenario = {
  name: 'gateway',
  title: 'The gateway over HTTP, beside a bare Hono route and a bare handler of the MCP SDK',
  async run(context) {
    const calls = await startCalls(context)
    const bareUrl = await startBare(context, calls)
    const rows: Row[] = []
    for (const call of calls) {
      for (const connections of CONNECTIONS) {
        rows.push(...(await measureCall(context, call, bareUrl, connections)))
      }
    }
    return rows
  },
}

/** A request to the gateway; all its answers look like the one it gave first. */
interface Call {
  name: string
  method: string
  target: Target
  /** What of a bare handler's rate should be left at least; absent where the work is not the gateway's. */
  shareOfSdk?: number
}

/** All skills are listed by the one fleet; in the other, workers make up the answer of a job at once. */
async function startCalls(context: BenchContext): Promise<Call[]> {
  const [real, bare] = [await context.fleet('simulated'), await context.fleet('bare')]
  let jobs = 0
  const list = targetOf(real.gatewayUrl, 'tools/list', () => ({}))
  // No two jobs are alike: the same call at the same time would join the first.
  const job = targetOf(bare.gatewayUrl, 'tools/call', () => ({
    name: 'echo',
    arguments: { text: `Good day, number ${++jobs}`, model: CLOUD_MODEL },
  }))
  return [
    { name: 'tools/list', method: 'tools/list', target: list, shareOfSdk: 0.4 },
    { name: 'instant job', method: 'tools/call', target: job },
  ]
}

function targetOf(url: string, method: string, params: () => object): Target {
  const name = method === 'tools/call' ? { 'mcp-name': 'echo' } : {}
  return {
    url: `${url}/mcp`,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      ...name,
    },
    body: () =>
      JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params(), _meta: META } }),
    isGood: (answer) => answer.includes('"result":{') && !answer.includes('"isError":true'),
  }
}

/** A process that gives the gateway's own answers, at `/hono` and at `/sdk`. */
async function startBare({ folder, keep }: BenchContext, calls: readonly Call[]): Promise<string> {
  const answers = await Promise.all(
    calls.map(async ({ method, target }) => [method, resultIn(await askOnce(target))]),
  )
  const file = join(folder, 'answers.json')
  await writeFile(file, JSON.stringify(Object.fromEntries(answers)))
  const environment = { PATH: searchPath() }
  const bare = keep(
    await startChild({ name: 'bare', script: BARE_HTTP, args: [file], environment }),
  )
  return bare.url!
}

/** The result of an answer, which may come as an event stream. */
function resultIn(answer: string): unknown {
  const json = /^data: (\{.*"result":.*\})$/m.exec(answer)?.[1] ?? answer
  return JSON.parse(json).result
}

async function measureCall(
  { quick }: BenchContext,
  { name, target, shareOfSdk }: Call,
  bareUrl: string,
  connections: number,
): Promise<Row[]> {
  const measure = async (one: Target) => {
    await loadWith(one, { connections, forMs: quick ? 50 : 200 })
    return loadWith(one, { connections, forMs: quick ? 100 : 800 })
  }
  const ours = await measure(target)
  const sdk = await measure({ ...target, url: `${bareUrl}/sdk` })
  const hono = await measure({ ...target, url: `${bareUrl}/hono` })
  const what = `${name}, ${connections} at once`
  const refused = ours.refused > 0 ? `; ${ours.refused} more were refused` : ''
  const limit = shareOfSdk === undefined ? {} : { limit: { atLeast: shareOfSdk } }
  return [
    { what, value: ours.perSecond, unit: '/s', note: `p99 ${ours.p99Ms.toFixed(1)} ms${refused}` },
    { ...shareRow(`${what}: share of a bare SDK handler`, ours, sdk), ...limit },
    shareRow(`${what}: share of a bare Hono route`, ours, hono),
  ]
}

function shareRow(what: string, ours: Load, bare: Load): Row {
  const longer = (ours.p99Ms / bare.p99Ms).toFixed(1)
  return {
    what,
    value: ours.perSecond / bare.perSecond,
    unit: '',
    note: `it does ${bare.perSecond.toFixed(0)}/s; our p99 is ${longer} times as long`,
  }
}

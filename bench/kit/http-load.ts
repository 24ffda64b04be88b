import { Agent, request } from 'node:http'
import { percentile, rateOf } from './statistics.ts'

/** A request that is made again and again. */
export interface Target {
  url: string
  headers: Readonly<Record<string, string>>
  /** The body of the next request. */
  body(): string
  /** Whether this is the answer that was asked for, and no refusal. */
  isGood(answer: string): boolean
}

export interface Load {
  /** Good answers. */
  perSecond: number
  /** How many others there were: a gateway that has too much to do says so. */
  refused: number
  p99Ms: number
}

/** Makes requests over so many connections at once until the time is over. @throws when no answer is good */
export async function loadWith(
  target: Target,
  { connections, forMs }: { connections: number; forMs: number },
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const samplesMs: number[] = []
  let refusal = ''
  let refused = 0
  try {
    const { perSecond, count } = await rateOf({ lanes: connections, forMs }, async () => {
      const startedMs = performance.now()
      const answer = await post(target, agent)
      if (target.isGood(answer)) samplesMs.push(performance.now() - startedMs)
      else {
        refusal = answer
        refused += 1
      }
    })
    if (samplesMs.length === 0) throw new Error(`${target.url} answers ${refusal.slice(0, 500)}`)
    const share = samplesMs.length / count
    return { perSecond: perSecond * share, refused, p99Ms: percentile(samplesMs, 0.99) }
  } finally {
    agent.destroy()
  }
}

/** One request on its own. */
export async function askOnce(target: Target): Promise<string> {
  const agent = new Agent()
  return post(target, agent).finally(() => agent.destroy())
}

function post({ url, headers, body }: Target, agent: Agent): Promise<string> {
  const text = body()
  const length = { 'content-length': String(Buffer.byteLength(text)) }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: { ...headers, ...length } })
    sent.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = []
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => resolve(Buffer.concat(chunks).toString()))
        .on('error', reject)
    })
    sent.end(text)
  })
}

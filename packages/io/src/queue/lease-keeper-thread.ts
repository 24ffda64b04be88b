import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, ThreadData, ToThread } from './lease-keeper.ts'
import { connectRedis } from './redis.ts'
import { defineScripts } from './scripts.ts'

// The thread of a lease keeper: see lease-keeper.ts.
const { redisUrl, leaseMs, stuckMs } = workerData as ThreadData
const port = parentPort!
type Kept = Extract<ToThread, { keep: unknown }>['keep']

const leases = new Map<string, Kept>()
let aliveAtMs = Date.now()
let isRenewing = false

const redis = connectRedis(redisUrl, 'leases', 'wait')
// Told by the process itself, which has its own connections.
redis.on('error', () => {})
redis.on('ready', () => void renewAll())
defineScripts(redis)

port.on('message', (message: ToThread) => {
  aliveAtMs = Date.now()
  if (message === 'alive') return
  if ('keep' in message) leases.set(message.keep.keys[0], message.keep)
  else leases.delete(message.release)
})
setInterval(() => void renewAll(), leaseMs / 4)

async function renewAll(): Promise<void> {
  if (isRenewing || leases.size === 0 || Date.now() - aliveAtMs > stuckMs) return
  isRenewing = true
  try {
    await Promise.all([...leases.values()].map(renew))
  } finally {
    isRenewing = false
  }
}

async function renew(kept: Kept): Promise<void> {
  const [lease] = kept.keys
  // What cannot be asked now is asked again in the next round.
  const isHeld = await redis.hgRenew(...kept.keys, kept.token, kept.stepId, leaseMs).catch(() => 1)
  if (isHeld === 1 || leases.get(lease) !== kept) return
  leases.delete(lease)
  port.postMessage({ lost: lease } satisfies FromThread)
}

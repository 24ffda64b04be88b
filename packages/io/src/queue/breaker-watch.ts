import type { Failure } from '@hyperguild/core/failure.ts'
import {
  concernsWholeServer,
  HEALTH_AFTER,
  type OpenBreaker,
  openedBy,
  type SickCall,
} from '@hyperguild/core/health.ts'
import { ConsecutiveBreaker } from 'cockatiel'
import type { Breakers } from './breakers.ts'
import { moveUp } from './move-up.ts'
import type { JobRecords } from './record-step.ts'

const TICK_MS = 1_000

export interface BreakerLimits {
  /** Sick calls in a row that open a breaker. */
  failures: number
  /** How long it stays open the first time. */
  openMs: number
}

export interface BreakerWatchOptions extends JobRecords {
  breakers: Breakers
  /** Those that this worker serves. */
  models: readonly string[]
  workerId: string
  /** What names a model's server; null where the configuration has none. */
  serverOf(model: string): string | null
  /** Whether a model's server answers; asked without calling a model. */
  isReachable(model: string): Promise<boolean>
  limits: BreakerLimits
  onError(error: unknown): void
}

/** A worker's part in the breakers: it judges its own calls, and sees to the queues of its models. */
export interface BreakerWatch {
  /** Tells how a call went, or how it failed. Never throws. */
  report(model: string, failed: SickCall | null): Promise<void>
  close(): Promise<void>
}

/** A worker that starts has every closed door of its models tried anew: what shut it may have been its configuration. */
export async function watchBreakers(options: BreakerWatchOptions): Promise<BreakerWatch> {
  const { breakers, models, limits, now, onError } = options
  const judges = createJudges(options)
  /** Models whose call on trial went well. */
  const proven = new Set<string>()
  let known = await breakers.all()
  for (const model of models) {
    const breaker = known.get(model)
    if (breaker?.state === 'open') await breakers.set(model, { ...breaker, untilMs: now() })
  }

  async function look(): Promise<void> {
    known = await breakers.all()
    const due = models.filter((model) => known.has(model))
    const lookAt = (model: string) =>
      breakers.alone(model, () => lookAfter(options, model, proven)).catch(onError)
    await Promise.all(due.map(lookAt))
  }
  let looking: Promise<void> = look().catch(onError)
  const lookSoon = () => {
    looking = looking.then(look).catch(onError)
  }
  const timer = setInterval(lookSoon, Math.min(TICK_MS, limits.openMs))

  return {
    async report(model, failed) {
      const health = failed ? HEALTH_AFTER[failed.failure] : 'well'
      if (health === 'unclear') return
      if (failed && health !== 'well') {
        if (await openIfSure(options, judges, model, failed).catch(onError)) lookSoon()
        return
      }
      judges.acquit(model)
      if (!known.has(model)) return
      proven.add(model)
      lookSoon()
    },
    async close() {
      clearInterval(timer)
      await looking
    },
  }
}

/** The calls of this worker that were sick, counted in a row. */
interface Judges {
  /** Counts one more; true once there are too many. */
  isTooMuch(model: string, failure: Failure): boolean
  acquit(model: string): void
}

function createJudges({ serverOf, limits }: BreakerWatchOptions): Judges {
  const judges = new Map<string, ConsecutiveBreaker>()
  function judgeOf(name: string): ConsecutiveBreaker {
    const judge = judges.get(name) ?? new ConsecutiveBreaker(limits.failures)
    judges.set(name, judge)
    return judge
  }
  const serverName = (model: string) => `server ${serverOf(model)}`
  return {
    isTooMuch(model, failure) {
      return judgeOf(concernsWholeServer(failure) ? serverName(model) : model).failure()
    },
    acquit(model) {
      judgeOf(model).success()
      judgeOf(serverName(model)).success()
    },
  }
}

/** @returns whether a breaker was opened */
async function openIfSure(
  { breakers, queue, models, limits, serverOf, now }: BreakerWatchOptions,
  judges: Judges,
  model: string,
  call: SickCall,
): Promise<boolean> {
  const server = serverOf(model)
  const before = await breakers.get(model)
  const isShut = server === null || HEALTH_AFTER[call.failure] === 'shut'
  const isTooMuch = judges.isTooMuch(model, call.failure)
  // Calls that were under way when it opened say nothing new.
  if (before?.state === 'open') return false
  if (!isTooMuch && !isShut && before?.state !== 'half_open') return false
  judges.acquit(model)
  const isWhole = concernsWholeServer(call.failure)
  const ill = isWhole ? models.filter((one) => serverOf(one) === server) : [model]
  const breaker = openedBy(call, before, limits.openMs, now())
  for (const one of ill) {
    await breakers.set(one, server === null ? { ...breaker, untilMs: null } : breaker)
    await queue.pause(one)
  }
  return true
}

/** Makes the queue of a model what its breaker says: held and emptied, tried again, or open. */
async function lookAfter(
  options: BreakerWatchOptions,
  model: string,
  proven: Set<string>,
): Promise<void> {
  const { breakers, queue, now } = options
  const breaker = await breakers.get(model)
  if (!breaker) return
  if (breaker.state === 'half_open') {
    await queue.resume(model)
    if (proven.delete(model)) await breakers.remove(model)
    return
  }
  proven.delete(model)
  if (breaker.untilMs === null || now() < breaker.untilMs) {
    return holdBack(options, model, breaker)
  }
  if (await options.isReachable(model)) {
    await breakers.set(model, { ...breaker, state: 'half_open' })
    return queue.resume(model)
  }
  const call = { failure: breaker.reason, message: breaker.message }
  const longer = openedBy(call, breaker, options.limits.openMs, now())
  await breakers.set(model, longer)
  await holdBack(options, model, longer)
}

async function holdBack(
  options: BreakerWatchOptions,
  model: string,
  breaker: OpenBreaker,
): Promise<void> {
  await options.queue.pause(model)
  await moveUp(options, model, breaker)
}

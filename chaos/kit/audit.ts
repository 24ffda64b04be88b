import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import type { Outcome } from './calls.ts'
import type { ChaosFleet } from './fleet.ts'
import type { Watched } from './watch-streams.ts'

/** What the books say after all is over; every list should be empty. */
export interface Audit {
  counts: {
    calls: number
    passed: number
    attempts: number
    queued: number
    entries: number
    patches: number
  }
  /** Calls that ended as they should not have, and why. */
  unpassed: string[]
  lost: string[]
  doubled: string[]
  wrong: string[]
}

/** Compares what callers got with what was recorded, logged, queued and written into their projects. */
export function auditCalls(
  fleet: Pick<ChaosFleet, 'sessionsDir' | 'projects'>,
  outcomes: readonly Outcome[],
  watched: Watched,
): Audit {
  const log = readLog(fleet.sessionsDir)
  const lost: string[] = []
  const doubled: string[] = []
  const wrong: string[] = [...log.torn]
  for (const outcome of outcomes) {
    const { call, jobIds, result, problems } = outcome
    const of = call.requestId
    const entries = [...jobIds].flatMap((id) => log.entries.get(id) ?? [])
    if (result === null) lost.push(`${of}: ${problems.join(', ')}`)
    else wrong.push(...problems.map((problem) => `${of}: ${problem}`))
    if (jobIds.size > 1) doubled.push(`${of}: became ${jobIds.size} jobs`)
    if (result && entries.length === 0) lost.push(`${of}: has no line in the log`)
    if (entries.length > 1) doubled.push(`${of}: has ${entries.length} lines in the log`)
    doubled.push(...attemptsTwice(outcome, watched).map((what) => `${of}: ${what}`))
    lost.push(...attemptsMissing(outcome, watched).map((what) => `${of}: ${what}`))
  }
  doubled.push(...stepsTwice(watched))
  doubled.push(...filesBack(fleet).map((file) => `${file}: written again after its caller took it`))
  const asked = new Set(outcomes.flatMap(({ jobIds }) => [...jobIds]))
  wrong.push(
    ...[...log.entries.keys()]
      .filter((id) => !asked.has(id))
      .map((id) => `${id}: is in the log, but nobody got it`),
  )
  return {
    counts: {
      calls: outcomes.length,
      passed: outcomes.filter(({ result }) => result?.status === 'pass').length,
      attempts: watched.attempts.size,
      queued: watched.steps.size,
      entries: [...log.entries.values()].flat().length,
      patches: outcomes.filter(({ result }) => result?.patch?.applied).length,
    },
    unpassed: outcomes.flatMap(({ call, result }) =>
      result === null || result.status === 'pass'
        ? []
        : [`${call.requestId}: ${result.status}: ${result.message}`],
    ),
    lost,
    doubled,
    wrong,
  }
}

/** A step that its queue gave up on is queued again; any other one is queued once. */
function stepsTwice({ steps }: Watched): string[] {
  return [...steps]
    .filter(([, told]) => told.filter((event) => event === 'added').length > 1)
    .filter(([, told]) => !told.includes('failed'))
    .map(([step, told]) => `step ${step}: queued again: ${told.join(', ')}`)
}

function attemptsTwice({ jobIds }: Outcome, { attempts }: Watched): string[] {
  return [...jobIds].flatMap((id) =>
    [1, 2, 3, 4, 5, 6].flatMap((number) => {
      const times = attempts.get(`${id}#${number}`) ?? 0
      return times > 1 ? [`attempt ${number} was recorded ${times} times`] : []
    }),
  )
}

function attemptsMissing({ result }: Outcome, { attempts }: Watched): string[] {
  if (result === null) return []
  return result.attempts.flatMap(({ attempt }) =>
    attempts.has(`${result.job_id}#${attempt}`) ? [] : [`attempt ${attempt} was not recorded`],
  )
}

/** The lines of all sessions by job, and what is no whole line. */
function readLog(dir: string): { entries: Map<string, SessionEntry[]>; torn: string[] } {
  const entries = new Map<string, SessionEntry[]>()
  const torn: string[] = []
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.jsonl'))) {
    const lines = readFileSync(join(dir, name), 'utf8').split('\n')
    if (lines.pop() !== '') torn.push(`${name}: the last line has no end`)
    for (const line of lines) {
      const entry = parsed(line)
      if (entry === null) torn.push(`${name}: a line is torn: ${line.slice(0, 80)}`)
      else entries.set(entry.job_id, [...(entries.get(entry.job_id) ?? []), entry])
    }
  }
  return { entries, torn }
}

function parsed(line: string): SessionEntry | null {
  try {
    return JSON.parse(line) as SessionEntry
  } catch {
    return null
  }
}

function filesBack({ projects }: Pick<ChaosFleet, 'projects'>): string[] {
  return projects.flatMap((project) =>
    readdirSync(project, { recursive: true })
      .map(String)
      .filter((path) => path !== 'cart.js' && path !== 'specs')
      .map((path) => join(project, path)),
  )
}

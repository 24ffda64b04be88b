import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { addUsage, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { LoopTool } from '../work/loop-tool.ts'
import {
  type Assignment,
  claudeArguments,
  claudeEnvironment,
  prepareHome,
  toolsFor,
} from './claude-command.ts'
import type { ClaudeCode, SignIn } from './find-claude.ts'
import { judgeRun } from './judge-run.ts'
import { type OfferedTools, offerTools } from './offer-tools.ts'
import {
  callsOf,
  createRunReader,
  type FinishedCall,
  type Opening,
  type RunRecord,
} from './read-run.ts'
import {
  type Confinement,
  type Place,
  type StartedClaude,
  seenFrom,
  startClaude,
} from './start-claude.ts'

export interface ClaudeOptions extends Assignment {
  claude: ClaudeCode
  confinement: Confinement
  /** The project it works on; null: an empty directory. */
  workDir: string | null
  /** Offered besides Claude Code's own. */
  tools: readonly LoopTool[]
  /** Hears of every call of the API, when the run is over: each is priced by itself. */
  onCall?: (call: FinishedCall) => void
}

export interface ClaudeResult {
  /** Matches the answer schema. That the work is done is the model's word, no evidence. */
  output: Readonly<Record<string, unknown>>
  usage: Usage
}

/** What it is given to end with a report, before it is killed. */
const GRACE_MS = 3_000

/**
 * Lets Claude Code work in a directory until it answers. When this returns or throws, nothing of it is running.
 * @throws {ModelFailure} with the usage of the run; the reason of `signal` when it aborts
 */
export async function runClaudeCode(
  options: ClaudeOptions,
  signal: AbortSignal,
): Promise<ClaudeResult> {
  signal.throwIfAborted()
  const signIn = options.claude.signIn()
  if ('problem' in signIn) throw new ModelFailure('auth', signIn.problem)
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-claude-'))
  try {
    const place = await preparePlace(options, folder)
    await using offered = options.tools.length > 0 ? await offerTools(options.tools, signal) : null
    await prepareHome(place.home, options, offered)
    return await follow(options, { place, signIn, offered }, signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function preparePlace({ workDir, files }: ClaudeOptions, folder: string): Promise<Place> {
  const [home, empty] = [join(folder, 'home'), join(folder, 'empty')]
  await mkdir(home, { mode: 0o700 })
  await mkdir(empty)
  return { home, workDir: workDir ?? empty, mayWrite: files === 'edit' }
}

interface Setting {
  place: Place
  signIn: SignIn
  offered: OfferedTools | null
}

async function follow(
  options: ClaudeOptions,
  setting: Setting,
  signal: AbortSignal,
): Promise<ClaudeResult> {
  const startedAtMs = performance.now()
  const claude = await start(options, setting)
  const ended = await listen(claude, toolsFor(options.files, setting.offered), signal)
  const calls = callsOf(ended.record, performance.now() - startedAtMs)
  for (const call of calls) options.onCall?.(call)
  signal.throwIfAborted()
  return resultOf(options, ended, calls)
}

function start(options: ClaudeOptions, { place, signIn, offered }: Setting) {
  const { claude, confinement, task } = options
  const { home } = seenFrom(confinement.level, place)
  return startClaude({
    program: claude.program,
    args: claudeArguments(options, home, offered),
    environment: claudeEnvironment(claude, signIn, home),
    input: task,
    place,
    confinement,
  })
}

interface Ended {
  record: RunRecord
  /** Why it was stopped; null when it was not. */
  problem: string | null
  exitCode: number | null
  /** The end of what it wrote to stderr. */
  complaint: string
}

/** Reads what a run tells until all its processes are gone. */
async function listen(
  claude: StartedClaude,
  expectedTools: readonly string[],
  signal: AbortSignal,
): Promise<Ended> {
  const { read, record } = createRunReader(() => performance.now())
  const stopper = createStopper(claude)
  const complaint = keepEnd(claude.errors)
  let problem: string | null = null
  signal.addEventListener('abort', stopper.stop)
  if (signal.aborted) stopper.stop()
  try {
    for await (const text of createInterface({ input: claude.output })) {
      const line = read(text)
      if (line?.type === 'system' && line.subtype === 'init') {
        problem = problemWith(line, expectedTools)
        if (problem !== null) stopper.stop()
      }
      if (line?.type === 'result') stopper.expectEnd()
    }
    return { record, problem, exitCode: await claude.ended, complaint: await complaint }
  } finally {
    signal.removeEventListener('abort', stopper.stop)
    stopper.dispose()
  }
}

/** Ends a run: with time for a last report, and then at once. */
function createStopper(claude: StartedClaude) {
  let timer: NodeJS.Timeout | undefined
  const expectEnd = () => {
    timer ??= setTimeout(claude.kill, GRACE_MS)
  }
  return {
    stop: () => {
      claude.interrupt()
      expectEnd()
    },
    /** It has nothing more to say. */
    expectEnd,
    dispose: () => clearTimeout(timer),
  }
}

/** A newer version may offer more than it was told to, or not find our own tools. */
function problemWith(
  { tools, mcp_servers, claude_code_version: version }: Opening,
  expected: readonly string[],
): string | null {
  const more = tools.filter((name) => !expected.includes(name))
  const missing = expected.filter((name) => !tools.includes(name))
  const who = `Claude Code ${version ?? ''}`.trim()
  if (more.length > 0) return `${who} offers tools it was not given: ${more.join(', ')}`
  if (missing.length === 0) return null
  const states = mcp_servers.map(({ name, status }) => ` (${name}: ${status})`).join('')
  return `${who} does not offer the tools it was given: ${missing.join(', ')}${states}`
}

function resultOf(
  { answerSchema, model }: ClaudeOptions,
  { record, problem, exitCode, complaint }: Ended,
  calls: readonly FinishedCall[],
): ClaudeResult {
  const sum = calls.reduce((total, call) => addUsage(total, call.usage), NO_USAGE)
  const usage = calls.length > 0 ? { usage: sum } : {}
  if (problem !== null) throw new ModelFailure('internal', problem, usage)
  if (record.envelope === null) {
    const said = complaint === '' ? '' : `: ${complaint}`
    const message = `Claude Code ended without a result (exit code ${exitCode ?? 'none'})${said}`
    throw new ModelFailure('internal', message, usage)
  }
  const judged = judgeRun(record.envelope, answerSchema, model)
  if (judged.ok) return { output: judged.output, usage: sum }
  const { failure, message, httpStatus } = judged
  throw new ModelFailure(failure, message, {
    ...usage,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(failure === 'rate_limited' && record.retryDelayMs !== null
      ? { retryAfterMs: record.retryDelayMs }
      : {}),
  })
}

const COMPLAINT_CHARS = 500

async function keepEnd(errors: Readable): Promise<string> {
  let text = ''
  for await (const chunk of errors) text = (text + String(chunk)).slice(-COMPLAINT_CHARS)
  return text.trim()
}

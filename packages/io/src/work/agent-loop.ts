import { addUsage, type Usage } from '@hyperguild/core/chat.ts'
import { type Failure, ModelFailure } from '@hyperguild/core/failure.ts'
import { isTruncated } from '@hyperguild/core/loop/history.ts'
import {
  clip,
  LOOP_STOPS,
  type LoopEnd,
  type LoopStop,
  limitReached,
  wallClockEnd,
} from '@hyperguild/core/loop/limits.ts'
import type { JsonObject } from '@hyperguild/core/loop/loose-json.ts'
import { answerReply, type Ended } from './answer-reply.ts'
import { account, type LoopOptions, type LoopRun, requestOf, startRun } from './loop-run.ts'

export interface LoopResult {
  /** How it ended; only `finished` has an output. */
  stop: LoopStop
  /** What that means for the attempt; null when it finished. */
  failure: Failure | null
  /** One sentence about the end. */
  message: string
  /** Matches the answer schema. That the work is done is the model's word, no evidence. */
  output: Readonly<JsonObject> | null
  usage: Usage
  steps: number
  /** One line per call. */
  transcriptSummary: string
}

/**
 * Lets a model work with tools until it answers or a limit ends it. When the server says that it cannot offer tools, and
 * nobody said how they are to be called, the model is told to write its calls as text.
 * @throws {ModelFailure} of the chat, with the usage of the whole loop; the reason of `signal` when it aborts
 */
export async function runLoop(options: LoopOptions, signal: AbortSignal): Promise<LoopResult> {
  try {
    return await runInMode(options, signal)
  } catch (error) {
    const isToolless = error instanceof ModelFailure && error.failure === 'tools_unsupported'
    if (!isToolless || options.toolMode !== undefined) throw error
    return await runInMode({ ...options, toolMode: 'text' }, signal)
  }
}

async function runInMode(options: LoopOptions, signal: AbortSignal): Promise<LoopResult> {
  const run = startRun(options)
  const now = options.now ?? (() => performance.now())
  const startedAtMs = now()
  const clock = new AbortController()
  const timer = setTimeout(() => clock.abort(), run.limits.wallClockMs)
  const either = AbortSignal.any([signal, clock.signal])
  try {
    for (;;) {
      signal.throwIfAborted()
      const limit = limitReached(run.tally, run.limits, now() - startedAtMs)
      const end = limit ?? (await takeStep(run, either))
      if (end) return resultOf(run, end)
    }
  } catch (error) {
    if (clock.signal.aborted && !signal.aborted) return resultOf(run, wallClockEnd(run.limits))
    throw withUsageOf(run, error)
  } finally {
    clearTimeout(timer)
  }
}

async function takeStep(run: LoopRun, signal: AbortSignal): Promise<LoopEnd | Ended | null> {
  const request = requestOf(run)
  if (!request) {
    const message = `the task does not fit into a context of ${run.limits.contextTokens} tokens; name fewer files, or use a model with a larger context`
    return { stop: 'context_overflow', message }
  }
  const reply = await run.options.chat(request, signal)
  const sent = account(run, request, reply)
  if (isTruncated(sent, run.lastSent)) {
    const message = `the server counted only ${sent.inputTokens} tokens of ${sent.chars} characters: it cut the prompt; raise its context length (num_ctx)`
    return { stop: 'context_overflow', message }
  }
  run.lastSent = sent
  if (reply.stop === 'refusal') return { stop: 'refusal', message: 'the model refused the task' }
  const linesBefore = run.lines.length
  const end = await answerReply(run, reply, signal)
  const calls = run.lines.slice(linesBefore)
  run.options.onStep?.({ step: run.tally.steps, calls, usage: run.usage })
  return end
}

const SUMMARY_CHARS = 4000

function resultOf(run: LoopRun, end: LoopEnd | Ended): LoopResult {
  return {
    stop: end.stop,
    failure: LOOP_STOPS[end.stop],
    message: end.message,
    output: 'output' in end ? end.output : null,
    usage: run.usage,
    steps: run.tally.steps,
    transcriptSummary: clip(run.lines.join('\n'), SUMMARY_CHARS),
  }
}

/** What the calls before the failing one cost is part of the attempt's price. */
function withUsageOf(run: LoopRun, error: unknown): unknown {
  if (!(error instanceof ModelFailure)) return error
  const { failure, message, httpStatus, retryAfterMs } = error
  return new ModelFailure(failure, message, {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    usage: error.usage ? addUsage(run.usage, error.usage) : run.usage,
    cause: error,
  })
}

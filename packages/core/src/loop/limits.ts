import type { Failure } from '../failure.ts'

/** What one attempt may spend. */
export interface LoopLimits {
  steps: number
  wallClockMs: number
  /** Of all calls together, input and output. */
  tokens: number
  /** The model's context; older results are left out to stay within it. */
  contextTokens: number
  /** Of one reply. */
  outputTokens: number
  /** Of one tool's result. */
  resultChars: number
  /** How often the same call may be made without an edit in between. */
  sameCalls: number
  /** How often one file may be read without an edit in between. */
  readsPerPath: number
  /** How many replies in a row may hold no call that can be understood. */
  formatErrors: number
}

export const DEFAULT_LIMITS: LoopLimits = {
  steps: 25,
  wallClockMs: 600_000,
  tokens: 500_000,
  contextTokens: 32_768,
  outputTokens: 8192,
  resultChars: 8000,
  sameCalls: 3,
  readsPerPath: 20,
  formatErrors: 3,
}

/** How a loop ended, and what that means for the attempt. A new ending does not compile before it has a row here. */
export const LOOP_STOPS = {
  finished: null,
  steps: 'loop_limit',
  wall_clock: 'loop_limit',
  tokens: 'loop_limit',
  repeated_calls: 'loop_limit',
  repeated_reads: 'loop_limit',
  format_errors: 'bad_output',
  said_done: 'bad_output',
  bad_output: 'bad_output',
  refusal: 'refusal',
  context_overflow: 'context_overflow',
} as const satisfies Record<string, Failure | null>

export type LoopStop = keyof typeof LOOP_STOPS

export interface LoopEnd {
  stop: LoopStop
  /** One sentence for people and for the log. */
  message: string
}

/** What was spent so far. */
export interface Tally {
  steps: number
  tokens: number
  formatErrorsInRow: number
  /** How often each call was made, and each path read, since the last edit. */
  calls: Readonly<Record<string, number>>
  reads: Readonly<Record<string, number>>
}

export const NOTHING_SPENT: Tally = {
  steps: 0,
  tokens: 0,
  formatErrorsInRow: 0,
  calls: {},
  reads: {},
}

/** The tally after a call; an edit makes every call worth repeating. */
export function countCall(
  tally: Tally,
  call: { name: string; input: Readonly<Record<string, unknown>> },
  edited: boolean,
): Tally {
  if (edited) return { ...tally, calls: {}, reads: {} }
  const reads =
    call.name === 'read_file' ? plusOne(tally.reads, String(call.input.path)) : tally.reads
  return { ...tally, calls: plusOne(tally.calls, keyOf(call)), reads }
}

/** How often this call was made since the last edit. */
export function timesMade(
  tally: Tally,
  call: { name: string; input: Readonly<Record<string, unknown>> },
): number {
  return tally.calls[keyOf(call)] ?? 0
}

/** The limit that is reached, if any, before the next step. */
export function limitReached(tally: Tally, limits: LoopLimits, elapsedMs: number): LoopEnd | null {
  const call = keyOver(tally.calls, limits.sameCalls)
  if (call) {
    const message = `made the same call more than ${limits.sameCalls} times without an edit: ${clip(call, 200)}`
    return { stop: 'repeated_calls', message }
  }
  const path = keyOver(tally.reads, limits.readsPerPath)
  if (path) {
    const message = `read ${path} more than ${limits.readsPerPath} times without an edit`
    return { stop: 'repeated_reads', message }
  }
  if (tally.formatErrorsInRow >= limits.formatErrors) {
    const message = `${limits.formatErrors} replies in a row held no call that could be understood`
    return { stop: 'format_errors', message }
  }
  if (elapsedMs >= limits.wallClockMs) return wallClockEnd(limits)
  if (tally.tokens >= limits.tokens) {
    return { stop: 'tokens', message: `spent ${tally.tokens} of ${limits.tokens} tokens` }
  }
  if (tally.steps >= limits.steps) {
    return { stop: 'steps', message: `no answer after ${limits.steps} steps` }
  }
  return null
}

export function wallClockEnd(limits: LoopLimits): LoopEnd {
  return { stop: 'wall_clock', message: `no answer after ${limits.wallClockMs / 1000} s` }
}

/** The head and the tail of a text that is too long: errors stand at either end, rarely in the middle. */
export function clip(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  const half = Math.floor(maxChars / 2)
  const left = text.length - 2 * half
  const gap = `\n… ${left} characters left out …\n`
  return (text.slice(0, half).toWellFormed() + gap + text.slice(-half)).toWellFormed()
}

function keyOf(call: { name: string; input: Readonly<Record<string, unknown>> }): string {
  return `${call.name} ${JSON.stringify(call.input)}`
}

function keyOver(counts: Readonly<Record<string, number>>, limit: number): string | undefined {
  return Object.keys(counts).find((key) => counts[key]! > limit)
}

function plusOne(counts: Readonly<Record<string, number>>, key: string): Record<string, number> {
  return { ...counts, [key]: (Object.hasOwn(counts, key) ? counts[key]! : 0) + 1 }
}

import { askFor } from '@hyperguild/core/answer.ts'
import type { ChatReply } from '@hyperguild/core/chat.ts'
import { type AnswerReading, answerIn } from '@hyperguild/core/loop/answers.ts'
import type { Exchange } from '@hyperguild/core/loop/history.ts'
import { clip, countCall, type LoopEnd, timesMade } from '@hyperguild/core/loop/limits.ts'
import type { JsonObject } from '@hyperguild/core/loop/loose-json.ts'
import { type ParsedCall, type ParsedCalls, toolCallsIn } from '@hyperguild/core/loop/tool-calls.ts'
import { exampleCall } from '@hyperguild/core/loop/tool-text.ts'
import type { LoopRun } from './loop-run.ts'
import { failed, type ToolResult } from './loop-tool.ts'
import { parseLoosely } from './parse-loosely.ts'

export interface Ended extends LoopEnd {
  output: JsonObject | null
}

/** Performs what a reply asks for and adds the exchange to the run; or says how the work ended. */
export async function answerReply(
  run: LoopRun,
  reply: ChatReply,
  signal: AbortSignal,
): Promise<Ended | null> {
  const parsed = toolCallsIn(reply, run.offered, parseLoosely)
  const isUnclear = parsed.calls.every((call) => call.problem !== null && call.name !== 'finish')
  const reading: AnswerReading = isUnclear
    ? answerIn(reply.text, run.options.answerSchema, parseLoosely)
    : { kind: 'none' }
  run.wantsAnswerOnly = false
  if (reading.kind !== 'none') return takeTextAnswer(run, reply, reading)
  if (parsed.calls.length === 0) return nudge(run, reply)
  return performCalls(run, reply, parsed, signal)
}

/** More calls in one reply are a model that does not wait for results. */
const MOST_CALLS = 8

async function performCalls(
  run: LoopRun,
  reply: ChatReply,
  parsed: ParsedCalls,
  signal: AbortSignal,
): Promise<Ended | null> {
  const results: string[] = []
  let charsLeft = 2 * run.limits.resultChars
  for (const [index, call] of parsed.calls.entries()) {
    const isLast = index === parsed.calls.length - 1
    const done = await performCall(run, index, withCutNoticed(call, isLast, reply), signal)
    run.lines.push(lineOf(run, call, done))
    if ('stop' in done) return done
    const text = clip(done.text, Math.max(500, Math.min(run.limits.resultChars, charsLeft)))
    charsLeft -= text.length
    results.push(text)
  }
  const understood = parsed.calls.some((call) => call.problem === null || call.name === 'finish')
  run.tally = { ...run.tally, formatErrorsInRow: understood ? 0 : run.tally.formatErrorsInRow + 1 }
  if (understood) run.wasNudged = false
  addExchange(run, { dialect: parsed.dialect, text: reply.text, calls: parsed.calls, results })
  return null
}

async function performCall(
  run: LoopRun,
  index: number,
  call: ParsedCall,
  signal: AbortSignal,
): Promise<ToolResult | Ended> {
  if (index >= MOST_CALLS) return failed(`not done: at most ${MOST_CALLS} calls at once`)
  if (call.name === 'finish') return finish(run, call)
  if (call.problem !== null) return failed(call.problem)
  const tool = run.options.tools.find((one) => one.name === call.name)!
  const result = await tool.run(call.input, signal)
  run.tally = countCall(run.tally, call, result.edited === true)
  return timesMade(run.tally, call) < run.limits.sameCalls
    ? result
    : {
        ...result,
        text: `${result.text}\nThe same call again will end your work: do something else.`,
      }
}

/** The end, or why not. An invalid answer may be mended once. */
function finish(run: LoopRun, call: Pick<ParsedCall, 'input' | 'problem'>): ToolResult | Ended {
  if (call.problem !== null) {
    if (run.wasAskedAgain) {
      const message = `the answer was invalid twice: ${clip(call.problem, 500)}`
      return { stop: 'bad_output', message, output: null }
    }
    run.wasAskedAgain = true
    run.wantsAnswerOnly = true
    return failed(`The answer is not valid: ${call.problem}`)
  }
  run.tally = countCall(run.tally, { name: 'finish', input: call.input }, false)
  const need = run.options.finishNeeds?.() ?? null
  if (need !== null) return failed(`Not finished yet: ${need}`)
  return { stop: 'finished', message: 'finished', output: { ...call.input } }
}

/** An answer written as text counts as a call of `finish`. */
function takeTextAnswer(
  run: LoopRun,
  reply: ChatReply,
  reading: Exclude<AnswerReading, { kind: 'none' }>,
): Ended | null {
  const written: ParsedCall =
    reading.kind === 'answer'
      ? { name: 'finish', input: reading.output, problem: null }
      : { name: 'finish', input: {}, problem: reading.problems.join('; ') }
  const call = withCutNoticed(written, true, reply)
  const done = finish(run, call)
  run.lines.push(lineOf(run, call, done))
  if ('stop' in done) return done
  const ask = reading.kind === 'answer' ? '' : `. ${askFor(run.options.answerSchema)}`
  const note = `${done.text}${ask}`
  addExchange(run, { dialect: 'fenced', text: reply.text, calls: [], results: [], note })
  return null
}

/** Words are no work: they are answered once, then the attempt ends. */
function nudge(run: LoopRun, reply: ChatReply): Ended | null {
  run.lines.push(`${run.tally.steps} said: ${firstLineOf(reply.text)}`)
  if (run.wasNudged) {
    const message = 'twice in a row neither a tool call nor an answer'
    return { stop: 'said_done', message, output: null }
  }
  run.wasNudged = true
  const finishTool = run.offered.at(-1)
  const dialect = run.options.toolMode === 'text' ? 'hermes' : 'native'
  const wanted = finishTool
    ? `Call a tool, or end your work: ${exampleCall(finishTool, dialect)}`
    : askFor(run.options.answerSchema)
  const note = `That was neither a tool call nor an answer, so nothing was done. ${wanted}`
  addExchange(run, { dialect: 'fenced', text: reply.text, calls: [], results: [], note })
  return null
}

/** What was cut off may look complete once it is repaired: half a file must not be written. */
function withCutNoticed(call: ParsedCall, isLast: boolean, reply: ChatReply): ParsedCall {
  if (!isLast || reply.stop !== 'length') return call
  const problem = 'your reply was cut off because it was too long; send less at once'
  return { ...call, input: {}, problem }
}

function addExchange(
  run: LoopRun,
  parts: Omit<Exchange, 'step' | 'note'> & { note?: string },
): void {
  const left = run.limits.steps - run.tally.steps
  const warning = left <= 2 ? `Steps left: ${left}. Give your answer now.` : ''
  const note = [parts.note, warning].filter(Boolean).join('\n')
  run.exchanges.push({ ...parts, step: run.tally.steps, note })
}

function lineOf(run: LoopRun, call: ParsedCall, done: ToolResult | Ended): string {
  const said = 'stop' in done ? done.message : firstLineOf(done.text)
  return `${run.tally.steps} ${call.name || '(unreadable call)'} ${clip(JSON.stringify(call.input), 120)}: ${said}`
}

function firstLineOf(text: string): string {
  return clip(text.split('\n', 1)[0]!, 200)
}

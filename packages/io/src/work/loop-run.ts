import { askFor } from '@hyperguild/core/answer.ts'
import {
  addUsage,
  type ChatModel,
  type ChatReply,
  type ChatRequest,
  NO_USAGE,
  type ToolSpec,
  type Usage,
} from '@hyperguild/core/chat.ts'
import type { JsonSchema } from '@hyperguild/core/json-schema.ts'
import {
  CHARS_PER_TOKEN,
  charsIn,
  charsPerTokenIn,
  type Exchange,
  estimateTokens,
  fitContext,
  type Sent,
} from '@hyperguild/core/loop/history.ts'
import {
  DEFAULT_LIMITS,
  type LoopLimits,
  NOTHING_SPENT,
  type Tally,
} from '@hyperguild/core/loop/limits.ts'
import { LOOP_RULES, toolsText } from '@hyperguild/core/loop/tool-text.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import type { LoopTool } from './loop-tool.ts'

export interface LoopOptions {
  chat: ChatModel
  model: string
  /** The discipline; the loop adds how to work in steps. */
  system: string
  /** The whole task, with the files it names already packed in. */
  task: string
  /** Without `finish`, which the loop adds. With none, the model must answer at once. */
  tools: readonly LoopTool[]
  answerSchema: JsonSchema
  limits?: Partial<LoopLimits>
  /**
   * `text` for servers that know no tools: calls are then described in the system text. `none` for models that can
   * call none: they must answer at once. When absent, native as long as the server takes it.
   */
  toolMode?: 'native' | 'text' | 'none'
  /** Why the work may not end yet, for the model; null when it may. */
  finishNeeds?: () => string | null
  onStep?: (step: LoopStep) => void
  /** Milliseconds; only differences count. */
  now?: () => number
}

/** What somebody watching a loop sees of a step. */
export interface LoopStep {
  step: number
  /** One line per call: its name, its input, how the result begins. */
  calls: readonly string[]
  /** Of the whole loop so far. */
  usage: Usage
}

/** A loop on its way. The one mutable thing of it. */
export interface LoopRun {
  readonly options: LoopOptions
  readonly limits: LoopLimits
  readonly offered: readonly ToolSpec[]
  readonly system: string
  exchanges: Exchange[]
  tally: Tally
  usage: Usage
  charsPerToken: number
  lastSent: Sent | null
  wasNudged: boolean
  wasAskedAgain: boolean
  /** The next reply must be the answer itself. */
  wantsAnswerOnly: boolean
  /** One line per call, for the transcript's summary. */
  lines: string[]
}

export function startRun(options: LoopOptions): LoopRun {
  const { answerSchema, toolMode } = options
  const tools = toolMode === 'none' ? [] : options.tools
  const finish: ToolSpec = {
    name: 'finish',
    description: 'End your work with this answer.',
    input: answerSchema,
  }
  const offered = tools.length === 0 ? [] : [...tools.map(specOf), finish]
  const system =
    tools.length === 0
      ? [options.system, askFor(answerSchema)]
      : [options.system, LOOP_RULES, ...(toolMode === 'text' ? [toolsText(offered)] : [])]
  return {
    options,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    offered,
    system: system.join('\n\n'),
    exchanges: [],
    tally: NOTHING_SPENT,
    usage: NO_USAGE,
    charsPerToken: CHARS_PER_TOKEN,
    lastSent: null,
    wasNudged: false,
    wasAskedAgain: false,
    wantsAnswerOnly: false,
    lines: [],
  }
}

const LOCAL_TEMPERATURE = 0.2

/** The next request, or null when not even the task and the last exchange fit into the context. */
export function requestOf(run: LoopRun): ChatRequest | null {
  const { options, limits, system } = run
  const maxOutputTokens = Math.min(limits.outputTokens, Math.floor(limits.contextTokens / 4))
  const fixedTokens = estimateTokens(system.length + charsOfTools(run), run.charsPerToken)
  const budget = limits.contextTokens - maxOutputTokens - fixedTokens
  const messages = fitContext(
    { task: options.task, exchanges: run.exchanges },
    budget,
    run.charsPerToken,
  )
  if (!messages) return null
  return {
    model: options.model,
    system,
    messages,
    maxOutputTokens,
    ...(tierOf(options.model) === 'local' ? { temperature: LOCAL_TEMPERATURE } : {}),
    ...(isAnswerOnly(run) ? { answerSchema: options.answerSchema } : {}),
    ...(offersTools(run) ? { tools: run.offered } : {}),
  }
}

/** Books what a reply cost. Servers that do not say are charged by an estimate, so that the limit holds for them too. */
export function account(run: LoopRun, request: ChatRequest, reply: ChatReply): Sent {
  const chars = request.system.length + charsIn(request.messages) + charsOfTools(run)
  const replyChars = charsIn([{ role: 'assistant', ...reply }])
  const { inputTokens, outputTokens } = reply.usage
  const spent =
    (inputTokens ?? estimateTokens(chars)) + (outputTokens ?? estimateTokens(replyChars))
  run.usage = addUsage(run.usage, reply.usage)
  run.tally = { ...run.tally, steps: run.tally.steps + 1, tokens: run.tally.tokens + spent }
  run.charsPerToken = charsPerTokenIn(chars, inputTokens)
  return { messages: request.messages, chars, inputTokens }
}

/**
 * An answer can be constrained by the server only without tools, and a conversation that holds native calls cannot
 * go on without them.
 */
function isAnswerOnly(run: LoopRun): boolean {
  const usesNativeCalls = run.exchanges.some((exchange) => exchange.dialect === 'native')
  return run.offered.length === 0 || (run.wantsAnswerOnly && !usesNativeCalls)
}

function offersTools(run: LoopRun): boolean {
  return run.options.toolMode !== 'text' && !isAnswerOnly(run)
}

function charsOfTools(run: LoopRun): number {
  return offersTools(run) ? JSON.stringify(run.offered).length : 0
}

function specOf({ name, description, input }: LoopTool): ToolSpec {
  return { name, description, input }
}

import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { withoutThinking } from '@hyperguild/core/answer.ts'
import type { ChatReply, ToolCall, Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { PROVIDER } from './call-options.ts'
import type { Callee } from './classify-failure.ts'

type Finish = Extract<LanguageModelV4StreamPart, { type: 'finish' }>

/** Is told of each piece as it comes. */
export interface Watcher {
  speaks(): void
  thinks(): void
}

/**
 * Reads a stream to its end. Reasoning counts as progress but is no part of the reply.
 * @throws whatever the stream holds as an error, and {ModelFailure} when it holds no reply
 */
export async function collectReply(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  to: Callee,
  watcher: Watcher,
): Promise<ChatReply> {
  let text = ''
  const toolCalls: ToolCall[] = []
  let finish: Finish | undefined
  for await (const part of stream) {
    switch (part.type) {
      case 'text-delta':
        text += part.delta
        watcher.speaks()
        break
      case 'reasoning-delta':
        watcher.thinks()
        break
      case 'tool-input-delta':
        watcher.speaks()
        break
      case 'tool-call':
        toolCalls.push({ id: part.toolCallId, name: part.toolName, input: inputOf(part.input) })
        watcher.speaks()
        break
      case 'finish':
        finish = part
        break
      case 'error':
        throw part.error
    }
  }
  return replyOf(withoutThinking(text).trim(), toolCalls, finish, to)
}

function replyOf(
  text: string,
  toolCalls: ToolCall[],
  finish: Finish | undefined,
  to: Callee,
): ChatReply {
  if (!finish || finish.finishReason.unified === 'interrupted') {
    throw new ModelFailure('network', `${to.where} broke off in the middle of ${to.model}'s answer`)
  }
  const usage = usageOf(finish.usage)
  const { raw } = finish.finishReason
  if (raw === 'model_context_window_exceeded') {
    const message = `the conversation filled the context of ${to.model}; send less, or use a model with a larger one`
    throw new ModelFailure('context_overflow', message, { usage })
  }
  const stop = stopOf(finish.finishReason, toolCalls)
  if (text === '' && toolCalls.length === 0 && stop !== 'refusal') {
    const why =
      stop === 'length' ? 'used up its output tokens without an answer' : 'answered nothing'
    throw new ModelFailure('bad_output', `${to.model} ${why}`, { usage })
  }
  return { text, toolCalls, stop, usage, ...loadTimeOf(finish) }
}

function loadTimeOf({ providerMetadata }: Finish): { loadMs?: number } {
  const loadMs = providerMetadata?.[PROVIDER]?.loadMs
  return typeof loadMs === 'number' ? { loadMs } : {}
}

/** Some servers say `stop` although the model called a tool. */
function stopOf(reason: LanguageModelV4FinishReason, toolCalls: ToolCall[]): ChatReply['stop'] {
  switch (reason.unified) {
    case 'length':
      return 'length'
    case 'content-filter':
      return 'refusal'
    case 'stop':
    case 'tool-calls':
      return toolCalls.length > 0 ? 'tool_calls' : 'end'
    default:
      return 'other'
  }
}

/** A model that calls a tool without arguments may send no text at all. */
function inputOf(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function usageOf({ inputTokens, outputTokens, raw }: LanguageModelV4Usage): Usage {
  const cacheCreation = raw?.cache_creation as { ephemeral_1h_input_tokens?: number } | undefined
  const cacheWrite1hTokens = cacheCreation?.ephemeral_1h_input_tokens
  return {
    inputTokens: inputTokens.total ?? null,
    outputTokens: outputTokens.total ?? null,
    cacheReadTokens: inputTokens.cacheRead ?? null,
    cacheWriteTokens: inputTokens.cacheWrite ?? null,
    ...(cacheWrite1hTokens ? { cacheWrite1hTokens } : {}),
  }
}

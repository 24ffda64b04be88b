import type { ChatModel, ChatReply, ChatRequest } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import { type Backend, cloudBackend, fetchWithoutTimeLimits, localBackend } from './backends.ts'
import { type Callee, classifyFailure } from './classify-failure.ts'
import { collectReply } from './collect-reply.ts'
import { type CallTimeouts, startDeadlines, type TimeoutFailure } from './deadlines.ts'

/** Where models are; null where nothing is configured. Base URLs may end in `/v1` or not. */
export interface ModelEndpoints {
  /** LiteLLM, or any server with `/v1/chat/completions`. */
  local: { baseUrl: string; apiKey?: string | undefined } | null
  /** Anthropic's API, or what speaks its protocol. */
  cloud: { baseUrl?: string | undefined; apiKey?: string | undefined } | null
}

const ANTHROPIC_URL = 'https://api.anthropic.com'

/**
 * Calls models through the AI SDK's providers: `claude-*` at Anthropic, every other name at the local server, each under
 * the name the configuration gives it. Replies are streamed and collected, so that silence can be told from work.
 * @throws {ConfigError} when a URL holds credentials
 */
export function createChatModel(
  { local, cloud }: ModelEndpoints,
  options: { timeouts?: CallTimeouts } = {},
): ChatModel {
  const fetchModel = fetchWithoutTimeLimits()
  const backends = {
    local: local && localBackend(local, fetchModel),
    cloud: cloud && cloudBackend({ ...cloud, baseUrl: cloud.baseUrl ?? ANTHROPIC_URL }, fetchModel),
  }
  return async (request, signal) =>
    callOnce(backendFor(request.model, backends), request, signal, options.timeouts ?? {})
}

function backendFor(
  model: string,
  backends: { local: Backend | null; cloud: Backend | null },
): Backend {
  const isLocal = tierOf(model) === 'local'
  const backend = isLocal ? backends.local : backends.cloud
  if (backend) return backend
  const missing = isLocal
    ? 'no server of local models is configured; set LITELLM_BASE_URL'
    : 'no access to cloud models is configured; set ANTHROPIC_API_KEY'
  throw new ModelFailure('network', `${model} cannot be called: ${missing}`)
}

async function callOnce(
  backend: Backend,
  request: ChatRequest,
  signal: AbortSignal,
  timeouts: CallTimeouts,
): Promise<ChatReply> {
  const callee = { ...backend.callee, model: request.model }
  const callOptions = backend.callOptions(request)
  const deadlines = startDeadlines(timeouts, signal)
  try {
    const { stream } = await backend
      .model(request.model)
      .doStream({ ...callOptions, abortSignal: deadlines.signal })
    return await collectReply(stream, callee, deadlines.progress)
  } catch (error) {
    signal.throwIfAborted()
    const expired = deadlines.expired()
    if (!expired) throw classifyFailure(error, callee, Date.now())
    throw new ModelFailure(expired, lateness(expired, callee, timeouts), { cause: error })
  } finally {
    deadlines.stop()
  }
}

function lateness(expired: TimeoutFailure, to: Callee, timeouts: CallTimeouts): string {
  const who = `${to.model} at ${to.where}`
  switch (expired) {
    case 'timeout_first_token':
      return `${who} said nothing within ${timeouts.firstTokenMs} ms; it may be loading, or the prompt is long for it`
    case 'timeout_stall':
      return `${who} fell silent for ${timeouts.stallMs} ms in the middle of its answer`
    case 'timeout_total':
      return `${who} did not finish within ${timeouts.totalMs} ms`
  }
}

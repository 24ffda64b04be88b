import type { CallTimeouts, ChatModel, ChatReply, ChatRequest } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { fetchWithoutTimeLimits, type Speaker, speakerFor } from './backends.ts'
import { type Callee, classifyFailure } from './classify-failure.ts'
import { collectReply } from './collect-reply.ts'
import { startDeadlines, type TimeoutFailure } from './deadlines.ts'
import { type EndpointOf, type Server, type TwoPlaces, twoEndpoints } from './endpoints.ts'

interface Options {
  timeouts?: CallTimeouts
}

/**
 * Calls models through the AI SDK's providers: `claude-*` at Anthropic, every other name at the local server, each under
 * the name the configuration gives it.
 * @throws {ConfigError} when a URL holds credentials
 */
export function createChatModel(places: TwoPlaces, options: Options = {}): ChatModel {
  return chatThrough(twoEndpoints(places), options)
}

/**
 * Calls each model at its own server, under that server's name for it, the way that kind of server wants it. Replies are
 * streamed and collected, so that silence can be told from work.
 */
export function chatThrough(endpointOf: EndpointOf, options: Options = {}): ChatModel {
  const speakerOf = oncePerServer()
  return async (request, signal) => {
    const { backend, servedName, settings } = endpointOf(request.model)
    const speaker = speakerOf(backend)
    const callOptions = speaker.callOptions(request, settings)
    const timeouts = { ...options.timeouts, ...request.timeouts }
    return callOnce(speaker, { ...request, servedName }, callOptions, signal, timeouts)
  }
}

function oncePerServer(): (server: Server) => Speaker {
  const fetchModel = fetchWithoutTimeLimits()
  const speakers = new Map<string, Speaker>()
  return (server) => {
    const key = `${server.name} ${server.url}`
    const speaker = speakers.get(key) ?? speakerFor(server, fetchModel)
    speakers.set(key, speaker)
    return speaker
  }
}

async function callOnce(
  speaker: Speaker,
  { model, servedName }: Pick<ChatRequest, 'model'> & { servedName: string },
  callOptions: ReturnType<Speaker['callOptions']>,
  signal: AbortSignal,
  timeouts: CallTimeouts,
): Promise<ChatReply> {
  const callee = { ...speaker.callee, model }
  const deadlines = startDeadlines(timeouts, signal)
  const { progress, patience } = deadlines
  try {
    const { stream } = await speaker
      .model(servedName)
      .doStream({ ...callOptions, abortSignal: deadlines.signal })
    const thinks = speaker.talksWhileLoading ? patience : progress
    return await collectReply(stream, callee, { speaks: progress, thinks })
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

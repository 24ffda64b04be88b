import type { ChatModel, ChatRequest } from '@hyperguild/core/chat.ts'
import { NO_USAGE } from '@hyperguild/core/chat.ts'
import type { Pool } from '@hyperguild/core/model.ts'
import { VERIFIER_DISCIPLINE } from '@hyperguild/core/verdict.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { runService } from '@hyperguild/io/process/service.ts'
import { startPool } from '@hyperguild/worker/pool.ts'
import { APPROVAL, GOOD_ANSWER, isWeak, REJECTION, WEAK_ANSWER } from './models.ts'

const tier = process.argv[2] as Pool

const answerAtOnce: ChatModel = async (request) => ({
  text: JSON.stringify(answerTo(request)),
  toolCalls: [],
  stop: 'end',
  usage: NO_USAGE,
})

// A worker whose models answer at once and without a call, so that what is measured is everything else.
await runService(async () => {
  const environment = readEnvironment()
  const config = loadConfig(environment)
  const log = createLogger(`worker-${tier}`, environment.logLevel)
  const redisUrl = environment.redisUrl!
  return startPool({ environment, config, log, redisUrl, tier, chat: answerAtOnce })
})

function answerTo({ model, system, messages }: ChatRequest) {
  if (!system.startsWith(VERIFIER_DISCIPLINE))
    return { message: isWeak(model) ? WEAK_ANSWER : GOOD_ANSWER }
  const isRejected = messages.some(({ text }) => text.includes(WEAK_ANSWER))
  return isRejected ? { accept: false, feedback: REJECTION } : { accept: true, feedback: APPROVAL }
}

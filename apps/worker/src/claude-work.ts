import type { ChatModel } from '@hyperguild/core/chat.ts'
import { poolOf } from '@hyperguild/core/model.ts'
import { chatThroughClaudeCode } from '@hyperguild/io/claude-code/claude-chat.ts'
import type { FinishedCall } from '@hyperguild/io/claude-code/read-run.ts'
import {
  type ClaudeOptions,
  type ClaudeResult,
  runClaudeCode,
} from '@hyperguild/io/claude-code/run-claude.ts'
import type { Confinement } from '@hyperguild/io/claude-code/start-claude.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import type { Config } from '@hyperguild/io/config/load-config.ts'
import { findEndpoint } from '@hyperguild/io/models/endpoints.ts'

type Installed = Pick<ClaudeOptions, 'claude' | 'confinement' | 'model' | 'effort'>

/** What is left to say of a run of Claude Code once the model is chosen. */
export type ClaudeTask = Omit<ClaudeOptions, keyof Installed>

/** @throws {ModelFailure} as `runClaudeCode` does */
export type ClaudeWork = (task: ClaudeTask, signal: AbortSignal) => Promise<ClaudeResult>

/** Claude Code for a model; null when our own loop does its work. */
export type ClaudeWorkFor = (model: string) => ClaudeWork | null

/** Finds once for which of these models Claude Code does the work. */
export function installedFor(
  { models: config }: Config,
  environment: Environment,
  models: readonly string[],
  confinement: Confinement,
): (model: string) => Installed | null {
  const found = models.flatMap((model): [string, Installed][] => {
    const endpoint = poolOf(model) === 'cloud' ? findEndpoint(config, environment, model) : ''
    if (typeof endpoint === 'string' || endpoint.claudeCode === null) return []
    const { claudeCode: claude, servedName, settings } = endpoint
    return [[model, { claude, confinement, model: servedName, effort: settings.effort }]]
  })
  const byModel = new Map(found)
  return (model) => byModel.get(model) ?? null
}

export function claudeWorkFrom(installed: ReturnType<typeof installedFor>): ClaudeWorkFor {
  return (model) => {
    const own = installed(model)
    return own && ((task, signal) => runClaudeCode({ ...task, ...own }, signal))
  }
}

/** Asks each model through its executor. */
export function chatByExecutor(
  installed: ReturnType<typeof installedFor>,
  overApi: ChatModel,
): ChatModel {
  const throughClaude = chatThroughClaudeCode((model) => installed(model)!)
  return (request, signal) => (installed(request.model) ? throughClaude : overApi)(request, signal)
}

/** The same work, with the calls of each run handed over when it has ended, however it ended. */
export function reportingCalls(
  workFor: ClaudeWorkFor,
  report: (model: string, calls: readonly FinishedCall[]) => Promise<void>,
): ClaudeWorkFor {
  return (model) => {
    const work = workFor(model)
    if (!work) return null
    return async (task, signal) => {
      const calls: FinishedCall[] = []
      try {
        return await work({ ...task, onCall: (call) => calls.push(call) }, signal)
      } finally {
        await report(model, calls)
      }
    }
  }
}

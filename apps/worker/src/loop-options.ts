import type { Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { DEFAULT_LIMITS, type LoopLimits } from '@hyperguild/core/loop/limits.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { LoopResult } from '@hyperguild/io/work/agent-loop.ts'
import type { LoopOptions } from '@hyperguild/io/work/loop-run.ts'
import type { WorkspaceAccess } from '@hyperguild/io/work/loop-tool.ts'
import type { WorkerDeps } from './deps.ts'

/** The limits of a skill's file, where the loop has a word for them. */
function loopLimits({ limits }: Skill, contextTokens: number): Partial<LoopLimits> {
  return {
    contextTokens,
    steps: limits.loop_steps,
    wallClockMs: limits.attempt_seconds * 1000,
    outputTokens: limits.output_tokens,
  }
}

const CLOUD_CONTEXT_TOKENS = 200_000

/** What a model can hold at once: as models.yaml says, else as far as is known without asking. */
export function contextTokensOf({ settingsOf }: WorkerDeps, model: string): number {
  const { contextTokens } = settingsOf(model)
  if (contextTokens !== null) return contextTokens
  return tierOf(model) === 'local' ? DEFAULT_LIMITS.contextTokens : CLOUD_CONTEXT_TOKENS
}

/** How a loop may use a model: its context, and how it calls tools. Null settings are left to the loop. */
export function loopOptionsFor(
  deps: WorkerDeps,
  skill: Skill,
  model: string,
): Pick<LoopOptions, 'limits' | 'toolMode'> {
  const { tools } = deps.settingsOf(model)
  const limits = loopLimits(skill, contextTokensOf(deps, model))
  return tools === null ? { limits } : { limits, toolMode: tools }
}

export function accessTo(root: string, { limits }: Skill, nonce: string): WorkspaceAccess {
  return { root, nonce, resultChars: DEFAULT_LIMITS.resultChars, fileBytes: limits.file_bytes }
}

export interface Finished {
  output: Readonly<Record<string, unknown>>
  usage: Usage
}

/** @throws {ModelFailure} when a limit ended the loop or the answer was no answer */
export function finished({ output, failure, message, usage }: LoopResult): Finished {
  if (output !== null) return { output, usage }
  throw new ModelFailure(failure ?? 'bad_output', message, { usage })
}

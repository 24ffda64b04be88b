import type { Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { DEFAULT_LIMITS, type LoopLimits } from '@hyperguild/core/loop/limits.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { LoopResult } from '@hyperguild/io/work/agent-loop.ts'
import type { WorkspaceAccess } from '@hyperguild/io/work/loop-tool.ts'

/** The limits of a skill's file, where the loop has a word for them. */
export function loopLimits({ limits }: Skill, model: string): Partial<LoopLimits> {
  return {
    contextTokens: contextTokensOf(model),
    steps: limits.loop_steps,
    wallClockMs: limits.attempt_seconds * 1000,
    outputTokens: limits.output_tokens,
  }
}

const CLOUD_CONTEXT_TOKENS = 200_000

/** What a model can hold at once, as far as is known without asking. */
export function contextTokensOf(model: string): number {
  return tierOf(model) === 'local' ? DEFAULT_LIMITS.contextTokens : CLOUD_CONTEXT_TOKENS
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

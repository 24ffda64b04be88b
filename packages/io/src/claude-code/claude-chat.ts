import type { ChatModel } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { ClaudeOptions } from './run-claude.ts'
import { runClaudeCode } from './run-claude.ts'

/** What a run for a single answer may take: the answer, and being asked for it again. */
const MAX_TURNS = 4
const BUDGET_USD = 1

/**
 * Claude Code as a model that is asked once, without tools, for an answer of a certain shape; as the verifier is.
 * @throws {ModelFailure} `tools_unsupported` for every other request
 */
export function chatThroughClaudeCode(
  optionsFor: (model: string) => Pick<ClaudeOptions, 'claude' | 'confinement' | 'model' | 'effort'>,
): ChatModel {
  return async ({ model, system, messages, answerSchema, tools = [] }, signal) => {
    const [task] = messages
    if (!answerSchema || tools.length > 0 || messages.length !== 1 || task?.role !== 'user') {
      throw new ModelFailure(
        'tools_unsupported',
        `Claude Code gives ${model} tools of its own only`,
      )
    }
    const { output, usage } = await runClaudeCode(
      {
        ...optionsFor(model),
        system,
        task: task.text,
        answerSchema,
        files: 'none',
        tools: [],
        workDir: null,
        maxTurns: MAX_TURNS,
        budgetUsd: BUDGET_USD,
      },
      signal,
    )
    return { text: JSON.stringify(output), toolCalls: [], stop: 'end', usage }
  }
}

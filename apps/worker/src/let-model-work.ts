import { ModelFailure } from '@hyperguild/core/failure.ts'
import { disciplineFor } from '@hyperguild/core/prompt.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { FileAccess } from '@hyperguild/io/claude-code/claude-command.ts'
import { runLoop } from '@hyperguild/io/work/agent-loop.ts'
import type { LoopTool } from '@hyperguild/io/work/loop-tool.ts'
import type { Attempting } from './attempting.ts'
import type { ClaudeWork } from './claude-work.ts'
import { type Finished, finished, loopOptionsFor } from './loop-options.ts'

/** What a model is to do, for either executor. */
export interface Assigned {
  skill: Skill
  task: string
  /** Everything our loop offers. */
  loopTools: readonly LoopTool[]
  /** Why the work may not end yet; Claude Code is not asked. */
  finishNeeds?: () => string | null
  /** What Claude Code may do with files, for which it has tools of its own. */
  files: FileAccess
  /** Where it does so; null: nowhere. Made at the first call. */
  workDir(): Promise<string | null>
  /** What Claude Code has no tool for. */
  moreTools: readonly LoopTool[]
}

/**
 * Lets a model work until it answers: in our own loop, or as Claude Code. What comes of either is treated alike.
 * @throws {ModelFailure} when it gave no answer
 */
export async function letModelWork(
  { deps, job, model }: Attempting,
  assigned: Assigned,
  signal: AbortSignal,
): Promise<Finished> {
  const { skill, task, finishNeeds } = assigned
  const system = disciplineFor(skill, job.input)
  const claudeCode = deps.claudeCode(model)
  if (claudeCode) return runThrough(claudeCode, assigned, system, signal)
  if (assigned.files === 'edit' && deps.settingsOf(model).tools === 'none') {
    const message = `${skill.name} needs tools, and models.yaml says tools: none of ${model}`
    throw new ModelFailure('tools_unsupported', message)
  }
  const options = {
    chat: deps.chat,
    model,
    system,
    task,
    tools: assigned.loopTools,
    answerSchema: skill.output ?? {},
    ...loopOptionsFor(deps, skill, model),
    ...(finishNeeds ? { finishNeeds } : {}),
  }
  return finished(await runLoop(options, signal))
}

async function runThrough(
  claudeCode: ClaudeWork,
  { skill, task, files, workDir, moreTools }: Assigned,
  system: string,
  signal: AbortSignal,
): Promise<Finished> {
  const { loop_steps: maxTurns, budget_usd: budgetUsd } = skill.limits
  const answerSchema = skill.output ?? {}
  const given = { system, task, answerSchema, files, tools: moreTools, maxTurns, budgetUsd }
  return claudeCode({ ...given, workDir: await workDir() }, signal)
}

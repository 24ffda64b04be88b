import { randomBytes } from 'node:crypto'
import { NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { CHECKS, type CheckContext } from '@hyperguild/core/checks.ts'
import type { Decision } from '@hyperguild/core/decide.ts'
import { type Evidence, problemsIn } from '@hyperguild/core/evidence.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { Job } from '@hyperguild/core/job.ts'
import { taskText } from '@hyperguild/core/prompt.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { failedWork, type GenerateOutcome, type Work } from '@hyperguild/core/step.ts'
import { gatherProject } from '@hyperguild/io/work/project-files.ts'
import { readNamedFiles } from '@hyperguild/io/work/roots.ts'
import { answer } from './answer.ts'
import type { WorkerDeps } from './deps.ts'
import { withTimeLimit } from './time-limit.ts'

type Todo = Extract<Decision, { do: 'generate' }>
type GenerateWork = Extract<Work, { kind: 'generate' }>

/** Lets one model try the job, and gathers the evidence for or against what it did. */
export async function generate(
  deps: WorkerDeps,
  job: Job,
  todo: Todo,
  signal: AbortSignal,
): Promise<Work> {
  const skill = deps.skills.get(job.tool)
  if (!skill) return failedWork('generate', 'internal', `this worker has no skill ${job.tool}`)
  const project = await gatherProject(deps.roots, skill, job.input)
  if (!project.ok) return generated({ kind: 'bad_input', message: project.problem })
  const nonce = randomBytes(8).toString('hex')
  const parts = { job, files: project.files, nonce }
  const limitMs = Math.min(skill.limits.attempt_seconds * 1000, job.deadlineAtMs - deps.now())
  try {
    const { output, usage } = await withTimeLimit(limitMs, signal, (limited) =>
      answer(
        deps.chat,
        skill,
        todo.model,
        taskText({ ...parts, feedback: todo.feedback }),
        limited,
      ),
    )
    const evidence = await check(skill, job, project.root, output)
    const task = taskText({ ...parts, feedback: '' })
    return generated(judge(output, evidence, task), usage)
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    const { failure, message, retryAfterMs } = error
    return generated({
      kind: 'failed',
      failure,
      message,
      ...(retryAfterMs ? { retryAfterMs } : {}),
    })
  }
}

function judge(
  output: Readonly<Record<string, unknown>>,
  evidence: Evidence,
  task: string,
): GenerateOutcome {
  const reasons = problemsIn(evidence)
  return reasons.length > 0
    ? { kind: 'refuted', reasons, evidence, output }
    : { kind: 'candidate', output, evidence, patch: null, task }
}

/** Runs the skill's mechanical checks over an output. */
async function check(
  skill: Skill,
  job: Job,
  root: string | null,
  output: Readonly<Record<string, unknown>>,
): Promise<Evidence> {
  const checks = skill.checks.map((name) => ({ name, check: CHECKS[name] }))
  const named = checks.flatMap(({ check }) => check.filesNamed?.(output) ?? [])
  const read =
    root === null ? { files: [] } : await readNamedFiles(root, named, skill.limits.file_bytes)
  const lines = new Map(read.files.map((file) => [file.path, file.text.split('\n')]))
  const context: CheckContext = {
    input: job.input,
    output,
    linesOf: (path) => lines.get(path) ?? null,
    patch: null,
    before: null,
    after: null,
  }
  return {
    checks: checks.map(({ name, check }) => ({ check: name, problems: check.problems(context) })),
    before: null,
    after: null,
  }
}

function generated(outcome: GenerateOutcome, usage: Usage = NO_USAGE): GenerateWork {
  return { kind: 'generate', outcome, usage }
}

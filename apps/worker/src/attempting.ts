import { CHECKS, type CheckContext } from '@hyperguild/core/checks.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import type { Evidence, Patch, TestRun } from '@hyperguild/core/evidence.ts'
import type { Job } from '@hyperguild/core/job.ts'
import { packFiles } from '@hyperguild/core/loop/pack-files.ts'
import { type PackedFile, taskText } from '@hyperguild/core/prompt.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { Step } from '@hyperguild/core/step.ts'
import { gatherFiles } from '@hyperguild/io/work/project-files.ts'
import { readNamedFiles } from '@hyperguild/io/work/roots.ts'
import type { WorkerDeps } from './deps.ts'
import { contextTokensOf } from './loop-options.ts'
import type { Project } from './project.ts'

/** One attempt under way. */
export interface Attempting {
  deps: WorkerDeps
  job: Job
  skill: Skill
  /** The steps recorded before this one. */
  steps: readonly Step[]
  project: Project | null
  model: string
  /** What the attempt before taught. */
  feedback: string
  /** Marks data in the prompt; nobody who writes data can know it. */
  nonce: string
}

type Fact = { title: string; text: string }

/**
 * The files a task names, as they stand under `root`.
 * @throws {RequestError} when one of them cannot be read
 */
export async function namedFiles(
  { deps, skill, job, model }: Attempting,
  root: string | undefined,
): Promise<PackedFile[]> {
  if (root === undefined) return []
  const gathered = await gatherFiles(root, skill, job.input)
  if (!gathered.ok) throw new RequestError('invalid_argument', gathered.problem)
  return packFiles(gathered.files, contextTokensOf(deps, model))
}

/** The task for the model, and the same without what an earlier attempt taught, for the verifier. */
export function tasksFor(
  { job, feedback, nonce }: Attempting,
  files: readonly PackedFile[],
  facts: readonly Fact[] = [],
): { task: string; originalTask: string } {
  const parts = { job, files, facts, nonce }
  return {
    task: taskText({ ...parts, feedback }),
    originalTask: taskText({ ...parts, feedback: '' }),
  }
}

export interface Checked {
  output: Readonly<Record<string, unknown>>
  patch: Patch | null
  before: TestRun | null
  after: TestRun | null
}

/** Runs the skill's mechanical checks of one kind. A skill that leaves proof to a model has only its rules checked. */
export async function runChecks(
  { skill, job, project }: Attempting,
  kind: 'rule' | 'proof',
  checked: Checked,
): Promise<Evidence['checks']> {
  if (kind === 'proof' && job.verify === 'model') return []
  const rows = skill.checks
    .map((name) => ({ name, check: CHECKS[name] }))
    .filter(({ check }) => check.kind === kind)
  const named = rows.flatMap(({ check }) => check.filesNamed?.(checked.output) ?? [])
  const read = project
    ? await readNamedFiles(project.root, named, skill.limits.file_bytes)
    : { files: [] }
  const lines = new Map(read.files.map((file) => [file.path, file.text.split('\n')]))
  const context: CheckContext = {
    ...checked,
    input: job.input,
    linesOf: (path) => lines.get(path) ?? null,
  }
  return rows.map(({ name, check }) => ({ check: name, problems: check.problems(context) }))
}

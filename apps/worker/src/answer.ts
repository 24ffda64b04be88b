import { addUsage, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import { documentText } from '@hyperguild/core/document.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import { type Patch, problemsIn } from '@hyperguild/core/evidence.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { capturePatch } from '@hyperguild/io/work/capture-patch.ts'
import type { LoopTool } from '@hyperguild/io/work/loop-tool.ts'
import { readingTools } from '@hyperguild/io/work/reading-tools.ts'
import { writeWorkspaceFile } from '@hyperguild/io/work/workspace-files.ts'
import { type Attempting, namedFiles, runChecks, tasksFor } from './attempting.ts'
import type { Attempted } from './generate.ts'
import { letModelWork } from './let-model-work.ts'
import { accessTo, type Finished } from './loop-options.ts'
import type { Project } from './project.ts'

type Output = Readonly<Record<string, unknown>>

/** An attempt of a skill that reads and answers. */
export async function answer(attempting: Attempting, signal: AbortSignal): Promise<Attempted> {
  const reading = await throughReader(attempting, signal)
  const seen = reading.attempting
  const { task, originalTask } = tasksFor(seen, await namedFiles(seen, seen.project?.root))
  const { output, usage } = await askModel(seen, seen.skill, task, signal)
  const patch = await documentPatch(seen, output, signal)
  const checked = { output, patch, before: null, after: null }
  const checks = [
    ...(await runChecks(seen, 'rule', checked)),
    ...(await runChecks(seen, 'proof', checked)),
  ]
  const evidence = { checks, before: null, after: null }
  const reasons = problemsIn(evidence)
  return {
    outcome:
      reasons.length > 0
        ? { kind: 'refuted', reasons, evidence, output }
        : { kind: 'candidate', output, evidence, patch, task: originalTask },
    usage: addUsage(reading.usage, usage),
  }
}

/**
 * A skill that reads through another one sees only that one's structured output: what a session's log or a note says
 * can then no longer speak to the model that writes.
 */
async function throughReader(
  attempting: Attempting,
  signal: AbortSignal,
): Promise<{ attempting: Attempting; usage: Usage }> {
  const { skill, job, deps } = attempting
  const reader = skill.reads_through ? deps.skills.get(skill.reads_through) : undefined
  if (!reader) return { attempting, usage: NO_USAGE }
  const { task } = tasksFor(attempting, [])
  const { output, usage } = await askModel(attempting, reader, task, signal)
  const material = JSON.stringify(output, null, 1)
  return { attempting: { ...attempting, job: { ...job, history: '', material } }, usage }
}

function askModel(
  attempting: Attempting,
  skill: Skill,
  task: string,
  signal: AbortSignal,
): Promise<Finished> {
  const { project, nonce } = attempting
  const assigned = {
    skill,
    task,
    loopTools: project ? lazyReadingTools(project, skill, nonce) : [],
    files: project ? 'read' : 'none',
    workDir: async () => (project ? (await project.workspace()).tree : null),
    moreTools: [],
  } as const
  return letModelWork(attempting, assigned, signal)
}

/** Reading tools on the private copy, which is made only when a model asks for more than the task shows. */
function lazyReadingTools(project: Project, skill: Skill, nonce: string): LoopTool[] {
  const toolsIn = (root: string) => readingTools(accessTo(root, skill, nonce))
  return toolsIn(project.root).map((tool, index) => ({
    ...tool,
    run: async (input, signal) => {
      const { tree } = await project.workspace()
      return toolsIn(tree)[index]!.run(input, signal)
    },
  }))
}

/** The change that writes the answer to the file the caller named; null when none is wanted. */
async function documentPatch(
  { skill, job, project }: Attempting,
  output: Output,
  signal: AbortSignal,
): Promise<Patch | null> {
  const path = job.input.output_path
  if (skill.delivers !== 'document' || typeof path !== 'string' || !project) return null
  const workspace = await project.workspace()
  const properties = Object.keys((skill.output?.properties ?? {}) as object)
  const text = documentText(output, properties)
  const written = await writeWorkspaceFile(workspace.tree, path, text, skill.limits.file_bytes)
  if (!written.ok) throw new RequestError('invalid_argument', `output_path: ${written.problem}`)
  return capturePatch(workspace, signal)
}

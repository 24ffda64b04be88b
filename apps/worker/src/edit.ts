import { RequestError } from '@hyperguild/core/errors.ts'
import { problemsIn } from '@hyperguild/core/evidence.ts'
import { capturePatch } from '@hyperguild/io/work/capture-patch.ts'
import { editingTools, runTestsTool } from '@hyperguild/io/work/editing-tools.ts'
import type { LoopTool } from '@hyperguild/io/work/loop-tool.ts'
import type { Workspace } from '@hyperguild/io/work/workspace.ts'
import { type Attempting, namedFiles, runChecks, tasksFor } from './attempting.ts'
import type { Attempted } from './generate.ts'
import { letModelWork } from './let-model-work.ts'
import { accessTo, type Finished } from './loop-options.ts'
import { type TestBench, testBench } from './test-bench.ts'

/** An attempt of a skill that changes files: the model works in a private copy, the worker proves what came of it. */
export async function edit(attempting: Attempting, signal: AbortSignal): Promise<Attempted> {
  const { project } = attempting
  if (!project)
    throw new RequestError('invalid_argument', 'project_root: this skill needs a project')
  const workspace = await project.workspace()
  const bench = await testBench(attempting, workspace)
  const before = await bench.before(signal)
  const facts = [{ title: 'test output before any change', text: before.output }]
  // Of the frozen base, like all the model will see: the project itself may have changed since.
  const files = await namedFiles(attempting, workspace.tree)
  const { task, originalTask } = tasksFor(attempting, files, facts)
  const { output, usage } = await letModelEdit(attempting, workspace, bench, task, signal)

  const patch = await capturePatch(workspace, signal)
  const rules = await runChecks(attempting, 'rule', { output, patch, before, after: null })
  const broken = problemsIn({ checks: rules, before: null, after: null })
  if (broken.length > 0) {
    const evidence = { checks: rules, before, after: null }
    return { outcome: { kind: 'refuted', reasons: broken, evidence, output }, usage }
  }
  const after = await bench.after(patch, signal)
  const proofs = await runChecks(attempting, 'proof', { output, patch, before, after })
  const evidence = { checks: [...rules, ...proofs], before, after }
  const reasons = problemsIn(evidence)
  return {
    outcome:
      reasons.length > 0
        ? { kind: 'refuted', reasons, evidence, output }
        : { kind: 'candidate', output, evidence, patch, task: originalTask },
    usage,
  }
}

function letModelEdit(
  attempting: Attempting,
  workspace: Workspace,
  bench: TestBench,
  task: string,
  signal: AbortSignal,
): Promise<Finished> {
  const { skill, nonce } = attempting
  const access = accessTo(workspace.tree, skill, nonce)
  const watched = watchEdits(editingTools(access, bench.during))
  const assigned = {
    skill,
    task,
    loopTools: watched.tools,
    finishNeeds: watched.finishNeeds,
    files: 'edit',
    workDir: async () => workspace.tree,
    moreTools: [runTestsTool(access, bench.during)],
  } as const
  return letModelWork(attempting, assigned, signal)
}

/** A model may not call its work done before it has run the tests on it; what they say is the evidence's business. */
function watchEdits(tools: readonly LoopTool[]): {
  tools: LoopTool[]
  finishNeeds: () => string | null
} {
  let untested = false
  return {
    tools: tools.map((tool) => ({
      ...tool,
      run: async (input, signal) => {
        const result = await tool.run(input, signal)
        if (result.edited) untested = true
        if (tool.name === 'run_tests') untested = false
        return result
      },
    })),
    finishNeeds: () => (untested ? 'Call run_tests first: you have changed files since.' : null),
  }
}

import { stripVTControlCharacters } from 'node:util'
import type { TestRun } from '@hyperguild/core/evidence.ts'
import { editText, hasLineNumbers } from '@hyperguild/core/loop/edit-text.ts'
import { clip } from '@hyperguild/core/loop/limits.ts'
import { fenced } from '@hyperguild/core/prompt.ts'
import { failed, type LoopTool, type ToolResult, type WorkspaceAccess } from './loop-tool.ts'
import { readingTools } from './reading-tools.ts'
import { readWorkspaceFile, writeWorkspaceFile } from './workspace-files.ts'

/** Runs the job's own test command on the workspace; which command that is, is not the model's choice. */
export type RunTests = (signal: AbortSignal) => Promise<TestRun>

/** The reading tools, and those that change files and run the tests. */
export function editingTools(access: WorkspaceAccess, runTests: RunTests): LoopTool[] {
  return [
    ...readingTools(access),
    writeFile(access),
    editFile(access),
    runTestsTool(access, runTests),
  ]
}

function writeFile({ root, fileBytes }: WorkspaceAccess): LoopTool {
  return {
    name: 'write_file',
    description:
      'Create a file or replace all of it; content without line numbers. Best under 300 lines.',
    input: {
      type: 'object',
      properties: {
        path: { type: 'string' },
        content: { type: 'string' },
      },
      required: ['path', 'content'],
    },
    async run(input) {
      const path = String(input.path)
      const content = String(input.content)
      if (content.includes('\n') && hasLineNumbers(content)) {
        return failed('content carries line numbers; send it again without them')
      }
      const before = await readWorkspaceFile(root, path, fileBytes)
      if (before.ok && before.text === content) return { text: `${path} already has this content` }
      return written(await writeWorkspaceFile(root, path, content, fileBytes), path, content)
    },
  }
}

function editFile({ root, nonce, fileBytes }: WorkspaceAccess): LoopTool {
  return {
    name: 'edit_file',
    description: 'Replace one passage of a file. Copy old_text exactly; it must occur once.',
    input: {
      type: 'object',
      properties: {
        path: { type: 'string' },
        old_text: { type: 'string' },
        new_text: { type: 'string' },
      },
      required: ['path', 'old_text', 'new_text'],
    },
    async run(input) {
      const path = String(input.path)
      const before = await readWorkspaceFile(root, path, fileBytes)
      if (!before.ok) return failed(before.problem)
      const edited = editText(before.text, String(input.old_text), String(input.new_text))
      if (!edited.ok) return failed(fenced(`${path} was not changed`, edited.problem, nonce))
      return written(
        await writeWorkspaceFile(root, path, edited.text, fileBytes),
        path,
        edited.text,
      )
    },
  }
}

/** Tells a model what its tests say. */
export function runTestsTool(
  { nonce, resultChars }: WorkspaceAccess,
  runTests: RunTests,
): LoopTool {
  return {
    name: 'run_tests',
    description: "Run the project's test command.",
    input: { type: 'object', properties: {} },
    async run(_input, signal) {
      const { exitCode, timedOut, durationMs, output } = await runTests(signal)
      const end = timedOut
        ? `The tests were stopped after ${Math.round(durationMs / 1000)} s: too slow.`
        : `The tests ended with exit code ${exitCode ?? 'none (killed)'}.`
      const shown = clip(stripVTControlCharacters(output), resultChars - 300)
      return { text: `${end}\n${fenced('test output', shown, nonce)}` }
    },
  }
}

function written(
  result: { ok: true } | { ok: false; problem: string },
  path: string,
  text: string,
): ToolResult {
  if (!result.ok) return failed(result.problem)
  const lines = text.replace(/\n$/, '').split('\n').length
  return { text: `wrote ${path}, ${lines} lines`, edited: true }
}

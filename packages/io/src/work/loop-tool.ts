import type { ToolSpec } from '@hyperguild/core/chat.ts'
import type { JsonObject } from '@hyperguild/core/loop/loose-json.ts'

/** What a tool answers the model. */
export interface ToolResult {
  text: string
  isError?: boolean
  /** Whether files changed: then every call is worth repeating. */
  edited?: boolean
}

/** A tool of the loop. `run` is only called with input that matches the schema; it throws for bugs and aborts alone. */
export interface LoopTool extends ToolSpec {
  run(input: Readonly<JsonObject>, signal: AbortSignal): Promise<ToolResult>
}

/** What the tools of one attempt work on. */
export interface WorkspaceAccess {
  /** Real path of the private workspace. */
  root: string
  /** Marks data in results, as in the task text. */
  nonce: string
  /** The size one result may have. */
  resultChars: number
  /** The size a file may have to be read or written. */
  fileBytes: number
}

export function failed(problem: string): ToolResult {
  return { text: problem, isError: true }
}

import { nearestTo } from '@hyperguild/core/nearest.ts'

/** What decides whether a tool is offered. */
export interface Selectable {
  name: string
  toolset: string
  readOnly: boolean
}

/** Which tools a request is offered. */
export interface Selection {
  /** Toolsets or tools by name; all of them when empty. */
  names: readonly string[]
  readOnly: boolean
}

export const EVERYTHING: Selection = { names: [], readOnly: false }

/** Tools without which a client could not get at what it had asked for. */
export const JOBS_TOOLSET = 'jobs'

/** Each selection narrows the ones before; what one leaves out, no later one brings back. Read-only overrides all. */
export function isSelected(tool: Selectable, selections: readonly Selection[]): boolean {
  return selections.every(({ names, readOnly }) => {
    if (readOnly && !tool.readOnly) return false
    if (names.length === 0 || tool.toolset === JOBS_TOOLSET) return true
    return names.includes(tool.toolset) || names.includes(tool.name)
  })
}

/** One line for each name that is neither a toolset nor a tool. */
export function selectionProblems(
  tools: readonly Selectable[],
  { names }: Pick<Selection, 'names'>,
): string[] {
  const known = [...new Set(tools.flatMap((tool) => [tool.toolset, tool.name]))].sort()
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const nearest = nearestTo(name, known)
      const hint = nearest ? `did you mean ${nearest}?` : `there are ${known.join(', ')}`
      return `${name} is neither a toolset nor a tool; ${hint}`
    })
}

/** What a request asks for in its headers (X-MCP-Toolsets, X-MCP-Readonly) and its address (…/x/{toolset}, …/readonly). */
export function selectionsOf(request: Request): Selection[] {
  const { pathname } = new URL(request.url)
  const inPath = /\/x\/([^/]+)/.exec(pathname)?.[1] ?? ''
  const readOnly = /^(1|true|on|yes)$/i.test(request.headers.get('x-mcp-readonly')?.trim() ?? '')
  return [
    { names: namesIn(request.headers.get('x-mcp-toolsets') ?? ''), readOnly },
    { names: namesIn(decoded(inPath)), readOnly: pathname.endsWith('/readonly') },
  ]
}

function namesIn(text: string): string[] {
  const names = text.split(/[\s,]+/).filter(Boolean)
  return names.includes('all') ? [] : names
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

import { clip } from '@hyperguild/core/loop/limits.ts'
import { fenced, withLineNumbers } from '@hyperguild/core/prompt.ts'
import { failed, type LoopTool, type ToolResult, type WorkspaceAccess } from './loop-tool.ts'
import { searchFiles } from './search-files.ts'
import { filesUnder, placeIn, readWorkspaceFile } from './workspace-files.ts'

/** Tools that look: list, search, read. Contents come back as data, between markers. */
export function readingTools(access: WorkspaceAccess): LoopTool[] {
  return [listFiles(access), search(access), readFile(access)]
}

function listFiles({ root, nonce, resultChars }: WorkspaceAccess): LoopTool {
  return {
    name: 'list_files',
    description: 'List the files of the project, or in one directory and below it.',
    input: {
      type: 'object',
      properties: { path: { type: 'string' } },
    },
    async run(input) {
      const place = await placeIn(root, String(input.path ?? '.'))
      if (!place.ok) return failed(place.problem)
      if (!place.facts?.isDirectory()) return failed(`${place.path} is not a directory`)
      const files = await Array.fromAsync(filesUnder(root, place.path))
      const all = files.join('\n')
      const text = all.length <= resultChars - ROOM_FOR_MARKERS ? all : overview(place.path, files)
      return { text: fenced(`${files.length} files in ${place.path}`, text, nonce) }
    },
  }
}

/** One level only, with the number of files in each directory: enough to ask for one of them. */
function overview(directory: string, files: readonly string[]): string {
  const prefix = directory === '.' ? '' : `${directory}/`
  const counts = new Map<string, number>()
  for (const file of files) {
    const [name, below] = file.slice(prefix.length).split('/', 2)
    const key = below === undefined ? `${prefix}${name}` : `${prefix}${name}/`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const lines = [...counts].map(([key, count]) =>
    key.endsWith('/') ? `${key} (${count} files)` : key,
  )
  return lines.join('\n')
}

function search({ root, nonce }: WorkspaceAccess): LoopTool {
  return {
    name: 'search',
    description: 'Find the lines that hold a text, or match a regular expression (regex: true).',
    input: {
      type: 'object',
      properties: {
        pattern: { type: 'string' },
        path: { type: 'string' },
        regex: { type: 'boolean' },
      },
      required: ['pattern'],
    },
    async run(input, signal) {
      const place = await placeIn(root, String(input.path ?? '.'))
      if (!place.ok) return failed(place.problem)
      if (!place.facts) return failed(`${place.path} does not exist`)
      const pattern = String(input.pattern)
      if (pattern === '' || pattern.includes('\0')) return failed('the pattern is empty')
      const isRegex = input.regex === true
      const result = await searchFiles({ root, path: place.path, pattern, isRegex }, signal)
      if (!result.ok) return failed(result.problem)
      if (result.lines.length === 0) return { text: 'no line matches' }
      const more = result.isCut
        ? '\nThere are more; search for something rarer or in one path.'
        : ''
      return { text: fenced('matching lines', result.lines.join('\n'), nonce) + more }
    },
  }
}

function readFile({ root, nonce, resultChars, fileBytes }: WorkspaceAccess): LoopTool {
  return {
    name: 'read_file',
    description: 'Read a text file, with line numbers.',
    input: {
      type: 'object',
      properties: {
        path: { type: 'string' },
        first_line: { type: 'integer' },
        last_line: { type: 'integer' },
      },
      required: ['path'],
    },
    async run(input) {
      const path = String(input.path)
      const read = await readWorkspaceFile(root, path, fileBytes)
      if (!read.ok) return failed(read.problem)
      const lines = read.text.replace(/\n$/, '').split('\n')
      const first = Math.max(1, Number(input.first_line ?? 1))
      const last = Math.min(lines.length, Number(input.last_line ?? lines.length))
      if (first > last) return failed(`${path} has only lines 1 to ${lines.length}`)
      return pageOf({ path, lines, first, last, nonce, maxChars: resultChars - ROOM_FOR_MARKERS })
    },
  }
}

const ROOM_FOR_MARKERS = 300

interface Page {
  path: string
  lines: readonly string[]
  first: number
  last: number
  nonce: string
  maxChars: number
}

/** As many whole lines as fit, and how to get the others. */
function pageOf({ path, lines, first, last, nonce, maxChars }: Page): ToolResult {
  const numberChars = String(last).length + 3
  let end = first - 1
  for (let chars = 0; end < last; end++) {
    chars += lines[end]!.length + numberChars
    if (chars > maxChars && end >= first) break
  }
  const shown = lines.slice(first - 1, end).join('\n')
  const title = `${path}, lines ${first} to ${end} of ${lines.length}`
  const text = fenced(title, clip(withLineNumbers(shown, first), maxChars), nonce)
  const rest = end < last ? `\nFor the rest call read_file with first_line ${end + 1}.` : ''
  return { text: text + rest }
}

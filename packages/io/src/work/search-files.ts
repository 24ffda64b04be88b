import { execFile } from 'node:child_process'
import { createContext, Script } from 'node:vm'
import { filesUnder, placeIn, readWorkspaceFile } from './workspace-files.ts'

export interface Search {
  root: string
  /** A file or directory relative to the root that was found to lie in it; `.` for all. */
  path: string
  pattern: string
  isRegex: boolean
}

/** Lines as `path:line:text`; or why the pattern cannot be searched for. */
export type SearchResult =
  | { ok: true; lines: string[]; isCut: boolean }
  | { ok: false; problem: string }

const MOST_LINES = 80
const MOST_CHARS_PER_LINE = 300
const MOST_FILE_BYTES = 1_000_000
const SEARCH_MS = 10_000

/** Searches text files with ripgrep where it is installed, else with a walk of our own. */
export async function searchFiles(search: Search, signal: AbortSignal): Promise<SearchResult> {
  return (await searchWithRipgrep(search, signal)) ?? (await searchByWalking(search, signal))
}

/** Its own environment holds nothing but this, so that no configuration file and no key gets in. */
const PROGRAM_DIRECTORIES = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin'

/** @returns null when ripgrep is not installed */
async function searchWithRipgrep(
  search: Search,
  signal: AbortSignal,
): Promise<SearchResult | null> {
  const flags = '--no-config --no-ignore --hidden --no-heading --with-filename --line-number'
  const args = [
    ...flags.split(' '),
    '--color=never',
    '--sort=path',
    '--iglob=!.git',
    '--iglob=!node_modules',
    `--max-filesize=${MOST_FILE_BYTES}`,
    `--max-columns=${MOST_CHARS_PER_LINE}`,
    '--max-columns-preview',
    `--max-count=${MOST_LINES + 1}`,
    ...(search.isRegex ? [] : ['--fixed-strings']),
    `--regexp=${search.pattern}`,
    '--',
    search.path,
  ]
  const options = {
    cwd: search.root,
    env: { PATH: PROGRAM_DIRECTORIES },
    maxBuffer: 200_000,
    timeout: SEARCH_MS,
    killSignal: 'SIGKILL' as const,
    signal,
  }
  return new Promise((resolve, reject) => {
    execFile('rg', args, options, (error, stdout, stderr) => {
      if (signal.aborted) return reject(signal.reason)
      if (error?.code === 'ENOENT') return resolve(null)
      if (error?.code === 2 && stdout === '')
        return resolve(refusePattern(stderr.trim().split('\n').at(-1)))
      const lines = stdout.split('\n').map((line) => line.replace(/^\.\//, ''))
      const wasKilled = Boolean(error?.killed)
      resolve(cut(wasKilled ? lines.slice(0, -1) : lines.filter(Boolean), wasKilled))
    })
  })
}

/** How long a pattern may work on one file: patterns are a model's, and some would never end. */
const PATTERN_MS = 250

/** The fallback without ripgrep; slower, and exponential patterns are refused after a moment. */
export async function searchByWalking(search: Search, signal: AbortSignal): Promise<SearchResult> {
  const regex = regexOf(search)
  if (!regex) return refusePattern('it is not a regular expression')
  const context = createContext({ regex, lines: [] as string[] })
  const matching = new Script('lines.flatMap((line, i) => (regex.test(line) ? [i] : []))')
  const startedAt = performance.now()
  const found: string[] = []
  for await (const path of filesToSearch(search)) {
    signal.throwIfAborted()
    if (found.length > MOST_LINES || performance.now() - startedAt > SEARCH_MS) break
    const file = await readWorkspaceFile(search.root, path, MOST_FILE_BYTES)
    if (!file.ok) continue
    context.lines = file.text.split('\n')
    try {
      const indexes = matching.runInContext(context, { timeout: PATTERN_MS }) as number[]
      for (const i of indexes) found.push(`${path}:${i + 1}:${context.lines[i]}`)
    } catch {
      return refusePattern(`it takes too long on ${path}`)
    }
  }
  return cut(found, false)
}

async function* filesToSearch({ root, path }: Search): AsyncGenerator<string> {
  const place = await placeIn(root, path)
  if (place.ok && place.facts?.isFile()) yield path
  else if (place.ok) yield* filesUnder(root, path)
}

function regexOf({ pattern, isRegex }: Search): RegExp | null {
  try {
    return new RegExp(isRegex ? pattern : pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  } catch {
    return null
  }
}

function cut(lines: string[], isCut: boolean): SearchResult {
  const shown = lines.slice(0, MOST_LINES).map((line) => line.slice(0, MOST_CHARS_PER_LINE + 200))
  return { ok: true, lines: shown, isCut: isCut || lines.length > MOST_LINES }
}

function refusePattern(reason: string | undefined): SearchResult {
  return {
    ok: false,
    problem: `the pattern cannot be used (${reason ?? 'unknown'}); send plain text without regex`,
  }
}

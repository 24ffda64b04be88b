import { secretsIn } from './secrets.ts'

/** One lesson in the brain. The text was written by a model or a person: data, only ever shown fenced. */
export interface Note {
  title: string
  tags: readonly string[]
  /** ISO 8601. */
  created: string
  /** Who wrote it, such as job ids; a merged note has several. */
  sources: readonly string[]
  content: string
}

/** What a writer hands in; `source` is the write's identity: handing in one source twice changes nothing. */
export interface NoteDraft {
  title: string
  content: string
  tags: readonly string[]
  source: string
}

export interface NoteHit extends Note {
  /** Relative to the brain's folder, forward slashes. */
  path: string
  /** Higher is better; comparable within one query only. */
  score: number
  /** How many of the query's words the note knows, of how many; for callers who want relevance, not just rank. */
  matchedWords: number
  queryWords: number
}

export const NOTE_LIMITS = {
  titleChars: 200,
  contentBytes: 64 * 1024,
  tags: 20,
  tagChars: 50,
  sourceChars: 200,
} as const

/** A file name leaves room for a suffix, an extension and a temporary name within the 255 bytes of most systems. */
const SLUG_BYTES = 100

/** Why a draft cannot be kept; one line per problem, never quoting a secret. Expects a tidied draft. */
export function draftProblems(draft: NoteDraft): string[] {
  const problems: string[] = []
  if (identityOf(draft.title) === '') problems.push('title: must not be empty')
  if (draft.title.length > NOTE_LIMITS.titleChars) {
    problems.push(`title: ${draft.title.length} characters; at most ${NOTE_LIMITS.titleChars}`)
  }
  if (identityOf(draft.content) === '') problems.push('content: must not be empty')
  const bytes = bytesOf(draft.content)
  if (bytes > NOTE_LIMITS.contentBytes) {
    problems.push(`content: ${bytes} bytes; at most ${NOTE_LIMITS.contentBytes}`)
  }
  if (draft.tags.length > NOTE_LIMITS.tags) {
    problems.push(`tags: ${draft.tags.length} of them; at most ${NOTE_LIMITS.tags}`)
  }
  if (draft.source === '' || draft.source.length > NOTE_LIMITS.sourceChars) {
    problems.push(`source: must have 1 to ${NOTE_LIMITS.sourceChars} characters`)
  }
  return [...problems, ...secretProblems(draft)]
}

/** Titles, sources and tags become single lines; tags become slugs, each once. Content only loses its outer blank lines. */
export function tidied(draft: NoteDraft): NoteDraft {
  const tags = draft.tags.map((tag) => slugOf(tag, NOTE_LIMITS.tagChars)).filter(Boolean)
  return {
    title: singleLine(draft.title),
    content: tidiedContent(draft.content),
    tags: [...new Set(tags)],
    source: singleLine(draft.source),
  }
}

/**
 * A file name without extension: lower-case letters and digits of any script joined by `-`; empty when the text has
 * none. Never a path: separators, dots and invisible characters cannot survive.
 */
export function slugOf(text: string, maxBytes: number = SLUG_BYTES): string {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Cf}/gu, '')
  const slug = words.replace(/[^\p{L}\p{M}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '')
  return cutToBytes(slug, maxBytes).replace(/-+$/, '')
}

/** Outer blank lines mean nothing, and lines end in one way. */
export function tidiedContent(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/^(?:[ \t]*\n)+/, '')
    .trimEnd()
}

/** What makes two texts the same text: case, spacing, compatible forms, invisible characters and final stops do not. */
export function identityOf(text: string): string {
  const visible = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Cf}/gu, '')
  const words = visible.replace(/\s+/g, ' ').trim()
  let end = words.length
  while (end > 0 && ' .!?:;,'.includes(words[end - 1]!)) end--
  return words.slice(0, end)
}

/** The note with what a draft adds: tags and source united, content appended unless it is there already. */
export function mergeInto(note: Note, draft: NoteDraft): Note {
  return {
    ...note,
    tags: [...new Set([...note.tags, ...draft.tags])],
    sources: [...new Set([...note.sources, draft.source])],
    content: mergeContent(note.content, draft.content),
  }
}

/** Notes as plain material for a prompt; the caller fences it. */
export function notesAsMaterial(
  hits: readonly Pick<NoteHit, 'title' | 'path' | 'content'>[],
): string {
  return hits.map((hit) => `# ${hit.title} (${hit.path})\n\n${hit.content}`).join('\n\n')
}

function mergeContent(old: string, added: string): string {
  if (says(old, added)) return old
  return says(added, old) ? added : `${old}\n\n${added}`
}

/** Whether one text holds the other, word for word. */
function says(text: string, part: string): boolean {
  return ` ${identityOf(text)} `.includes(` ${identityOf(part)} `)
}

function secretProblems(draft: NoteDraft): string[] {
  const texts = { title: draft.title, content: draft.content, source: draft.source }
  return Object.entries(texts).flatMap(([where, text]) =>
    secretsIn(text).map(
      ({ kind, line }) => `${where}: line ${line} looks like ${kind}; take it out and write again`,
    ),
  )
}

function singleLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}

/** Cuts at a code point, never within one. */
function cutToBytes(text: string, maxBytes: number): string {
  let bytes = 0
  let cut = ''
  for (const char of text) {
    bytes += bytesOf(char)
    if (bytes > maxBytes) break
    cut += char
  }
  return cut
}

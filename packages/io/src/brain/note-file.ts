import { type Note, tidiedContent } from '@hyperguild/core/note.ts'
import { type Document, parseDocument, Document as YamlDocument } from 'yaml'
import * as z from 'zod'

/** A note as its file has it: what people wrote besides our keys, comments too, is kept when we write. */
export interface NoteFile {
  note: Note
  frontmatter: Document
  /** Everything under the frontmatter, as it stands. */
  body: string
}

export type ReadNote = { ok: true; file: NoteFile } | { ok: false; reason: string }

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const words = z
  .union([z.array(scalar), scalar.transform((text) => text.split(','))])
  .nullish()
  .transform((list) => (list ?? []).map((word) => word.trim()).filter(Boolean))

/** Lenient, since people write these files too; unknown keys are theirs. */
const frontmatterSchema = z.looseObject({
  title: scalar.nullish(),
  tags: words,
  created: scalar.nullish(),
  sources: words,
})

/**
 * Reads a note's file. Without frontmatter it is a note as well: titled by its first heading, else by its file name.
 * @param path relative, forward slashes
 * @param modified ISO 8601, for notes that do not say when they were created
 */
export function readNoteFile(path: string, text: string, modified: string): ReadNote {
  const split = splitFrontmatter(text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n'))
  if (!split) return { ok: false, reason: 'its frontmatter does not end: a line --- is missing' }
  const frontmatter = parseDocument(split.yaml, { prettyErrors: false })
  const problem = frontmatter.errors[0]
  if (problem) return { ok: false, reason: `its frontmatter is not YAML: ${problem.message}` }
  const parsed = frontmatterSchema.safeParse(readValue(frontmatter) ?? {})
  if (!parsed.success) {
    const key = parsed.error.issues[0]!.path[0]
    const what = key === undefined ? 'must be keys and values' : `${String(key)} must be plain text`
    return { ok: false, reason: `its frontmatter cannot be read: ${what}` }
  }
  const { title, tags, created, sources } = parsed.data
  const content = tidiedContent(split.body)
  const note = {
    title: title || headingOf(content) || nameOf(path),
    tags,
    created: created ?? modified,
    sources,
    content,
  }
  return { ok: true, file: { note, frontmatter, body: split.body } }
}

/** The text of a new note's file. */
export function renderNote({ title, tags, created, sources, content }: Note): string {
  const frontmatter = new YamlDocument({ title, tags, created, sources })
  return joinFrontmatter(frontmatter, `\n${content}\n`)
}

/** The text of a file whose note has changed; what did not change stays as people wrote it. */
export function renderChanged(file: NoteFile, changed: Note): string {
  const frontmatter = file.frontmatter.clone()
  for (const key of ['title', 'tags', 'created', 'sources'] as const) {
    const same = frontmatter.has(key) && String(file.note[key]) === String(changed[key])
    if (!same) frontmatter.set(key, changed[key])
  }
  const body = changed.content === file.note.content ? file.body : `\n${changed.content}\n`
  return joinFrontmatter(frontmatter, body)
}

function splitFrontmatter(text: string): { yaml: string; body: string } | null {
  if (!/^---[ \t]*\n/.test(text)) return { yaml: '', body: text }
  const start = text.indexOf('\n') + 1
  const end = /^---[ \t]*$/m.exec(text.slice(start))
  if (!end) return null
  const yaml = text.slice(start, start + end.index)
  return { yaml, body: text.slice(start + end.index + end[0].length + 1) }
}

function joinFrontmatter(frontmatter: Document, body: string): string {
  return `---\n${frontmatter.toString({ lineWidth: 0 })}---\n${body}`
}

/** Throws only on aliases that would blow the value up. */
function readValue(frontmatter: Document): unknown {
  try {
    return frontmatter.toJS()
  } catch {
    return 'too many aliases'
  }
}

function headingOf(content: string): string | undefined {
  return /^#{1,6}[ \t]+(\S.*)$/m.exec(content)?.[1]?.trim()
}

function nameOf(path: string): string {
  return path.replace(/^.*\//, '').replace(/\.md$/i, '').replaceAll('-', ' ')
}

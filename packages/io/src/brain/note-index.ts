import { DatabaseSync } from 'node:sqlite'
import type { Note, NoteHit } from '@hyperguild/core/note.ts'

/**
 * The searchable side of the notes, rebuilt from the files at every start. SQLite's FTS5, in Node 24 without flag or
 * warning, gives ranking by BM25, stemming and folding of accents without a further package.
 */
export interface NoteIndex {
  put(path: string, note: Note): void
  remove(path: string): void
  /** Notes with at least one of the text's words, best first. */
  search(text: string, limit: number): NoteHit[]
  close(): void
}

/** A word in the title says more about a note than one in its text. */
const WEIGHTS = { title: 6, tags: 4, content: 1 }
const QUERY_WORDS = 48

/** Words that say nothing about what somebody looks for. */
const STOP_WORDS = new Set(
  'a an and are as at be but by can do does for from has have how if in into is it its not of on or so that the then this to was what when where which why with you'.split(
    ' ',
  ),
)

export function openNoteIndex(): NoteIndex {
  const db = new DatabaseSync(':memory:')
  db.exec(`CREATE VIRTUAL TABLE notes USING fts5(title, tags, content,
    tokenize = 'porter unicode61 remove_diacritics 2')`)
  const insert = db.prepare('INSERT INTO notes (title, tags, content) VALUES (?, ?, ?)')
  const erase = db.prepare('DELETE FROM notes WHERE rowid = ?')
  const rank = db.prepare(`SELECT rowid, bm25(notes, ${Object.values(WEIGHTS).join(', ')}) AS rank
    FROM notes WHERE notes MATCH ? ORDER BY rank, rowid LIMIT ?`)
  const having = db.prepare('SELECT rowid FROM notes WHERE notes MATCH ?')
  const rows = new Map<string, number>()
  const notes = new Map<number, Note & { path: string }>()

  const remove = (path: string) => {
    const row = rows.get(path)
    if (row === undefined) return
    erase.run(row)
    rows.delete(path)
    notes.delete(row)
  }

  return {
    put(path, note) {
      remove(path)
      const { lastInsertRowid } = insert.run(note.title, note.tags.join(' '), note.content)
      rows.set(path, Number(lastInsertRowid))
      notes.set(Number(lastInsertRowid), { ...note, path })
    },
    remove,
    search(text, limit) {
      const terms = termsOf(text)
      if (terms.length === 0) return []
      const knowing = terms.map((term) => new Set(having.all(term).map(({ rowid }) => rowid)))
      return rank.all(terms.join(' OR '), limit).map(({ rowid, rank }) => ({
        ...notes.get(Number(rowid))!,
        score: -Number(rank),
        matchedWords: knowing.filter((found) => found.has(rowid!)).length,
        queryWords: terms.length,
      }))
    },
    close: () => db.close(),
  }
}

/** The words of a query as quoted FTS5 terms, so that nothing in it is an operator. */
function termsOf(text: string): string[] {
  const all =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  const words = [...new Set(all)]
  const telling = words.filter((word) => !STOP_WORDS.has(word))
  // Scripts that put no spaces between words come as one long word: its beginning must do.
  return (telling.length > 0 ? telling : words)
    .slice(0, QUERY_WORDS)
    .map((word) => (/^[a-z0-9]+$/.test(word) ? `"${word}"` : `"${word}"*`))
}

import type { PackedFile } from '../prompt.ts'
import { CHARS_PER_TOKEN } from './history.ts'

/** The part of a context that files may fill at first; the rest is for the discipline, the work and the answer. */
const FILES_SHARE = 0.6

/**
 * Files cut so that all fit into a context. Each gets an equal share, and what a small file leaves unused goes to the
 * larger ones. A file is cut after a whole line, so that line numbers stay true, and says how to read the rest.
 */
export function packFiles(files: readonly PackedFile[], contextTokens: number): PackedFile[] {
  let charsLeft = Math.floor(contextTokens * FILES_SHARE * CHARS_PER_TOKEN)
  let filesLeft = files.length
  const packed = new Map<PackedFile, PackedFile>()
  for (const file of files.toSorted((a, b) => a.text.length - b.text.length)) {
    const cut = cutAfterLine(file, Math.floor(charsLeft / filesLeft))
    packed.set(file, cut)
    charsLeft -= Math.min(charsLeft, cut.text.length)
    filesLeft -= 1
  }
  return files.map((file) => packed.get(file)!)
}

function cutAfterLine(file: PackedFile, maxChars: number): PackedFile {
  if (file.text.length <= maxChars) return file
  const lines = file.text.replace(/\n$/, '').split('\n').length
  const head = file.text.slice(0, Math.max(0, file.text.lastIndexOf('\n', maxChars)))
  const shown = head === '' ? 0 : head.split('\n').length
  const note = `(lines ${shown + 1} to ${lines} left out to save room: use read_file)`
  return { ...file, text: head === '' ? note : `${head}\n${note}` }
}

import type { Icon } from '@modelcontextprotocol/server'

type Sign = 'guild' | 'read' | 'write' | 'job'

/** Strokes on a field of 24 by 24. */
const STROKES: Readonly<Record<Sign, string>> = {
  guild: 'M12 2l8 5v10l-8 5-8-5V7zM12 8v8M8 10v4M16 10v4',
  read: 'M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l6 6',
  write: 'M4 20h4L20 8l-4-4L4 16zM13 7l4 4',
  job: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 3',
}

/** An icon as a data URL, so that a client needs no other server to show it; grey fits light and dark. */
export function iconsFor(sign: Sign): Icon[] {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#888" stroke-width="2"><path d="${STROKES[sign]}"/></svg>`
  const src = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
  return [{ src, mimeType: 'image/svg+xml', sizes: ['any'] }]
}

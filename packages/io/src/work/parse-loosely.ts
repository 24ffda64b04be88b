import type { ParseLoosely } from '@hyperguild/core/loop/loose-json.ts'
import { jsonrepair } from 'jsonrepair'

/** JSON as models write it. Not for verdicts, which are never repaired. */
export const parseLoosely: ParseLoosely = (text) => {
  try {
    return JSON.parse(jsonrepair(text)) as unknown
  } catch {
    return undefined
  }
}

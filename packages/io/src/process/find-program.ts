import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { searchPath } from '../config/environment.ts'

/** The full path of a program on PATH, or on a search path of one's own; or null. */
export function findProgram(name: string, directories = searchPath()): string | null {
  for (const directory of directories.split(delimiter)) {
    const path = join(directory, name)
    if (directory !== '' && isExecutableFile(path)) return path
  }
  return null
}

export function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

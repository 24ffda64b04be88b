import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

// What a project's .gitattributes says would change bytes on their way in and out (line ends, filters, LFS) or name a
// program to run. This file wins over it: a workspace holds exactly the bytes of the project.
const NO_CONVERSION = '* -text !eol -ident -filter !working-tree-encoding !diff !merge\n'

/** Every difference as bytes: for text that is not UTF-8, which a string could not hold. */
export const ALL_BINARY = '* -diff\n'

/** Makes an empty bare git directory; writing its few files is several times faster than `git init`. */
export async function createGitDir(path: string, attributes = NO_CONVERSION): Promise<void> {
  await Promise.all(
    ['objects/info', 'objects/pack', 'refs/heads', 'info'].map((directory) =>
      mkdir(join(path, directory), { recursive: true }),
    ),
  )
  await Promise.all([
    writeFile(join(path, 'HEAD'), 'ref: refs/heads/base\n'),
    writeFile(join(path, 'config'), '[core]\n\trepositoryformatversion = 0\n'),
    writeFile(join(path, 'info/attributes'), attributes),
  ])
}

/** Lets a git directory read another's objects instead of copying them. They must stay as long as it does. */
export async function lendObjects(gitDir: string, objects: string): Promise<void> {
  await appendFile(join(gitDir, 'objects/info/alternates'), `${objects}\n`)
}

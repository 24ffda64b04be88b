import { runGit } from './git.ts'
import type { Checkout } from './workspace.ts'

/**
 * Runs something in a checkout and then takes back what it changed there: what tests write is not the model's change.
 * Ignored files stay, so that build caches stay warm. After an abort nothing is taken back, since nothing is kept.
 */
export async function leavingNoTraces<T>(
  { gitDir, tree: workTree }: Pick<Checkout, 'gitDir' | 'tree'>,
  run: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const place = { gitDir, workTree }
  await runGit(['add', '--all'], place, signal)
  const before = (await runGit(['write-tree'], { gitDir }, signal)).toString().trim()
  const result = await run()
  // Added first, so that git knows the new files it is to remove.
  await runGit(['add', '--all'], place, signal)
  await runGit(['read-tree', '--reset', '-u', before], place, signal)
  return result
}

import { ConfigError } from '@hyperguild/core/errors.ts'
import { type Brain, openBrain } from '@hyperguild/io/brain/brain.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'

const TRY_AGAIN_MS = 2_000

/** The brain as far as this gateway has it: one process at a time owns the folder. */
export interface BrainKeeper {
  /** Null while another process owns the folder. */
  current(): Brain | null
  /** Resolves when the brain is ours; never, when that does not happen. */
  taken: Promise<void>
  close(): Promise<void>
}

/**
 * Takes the brain, now or as soon as whoever owns it is gone: in a rolling update the new gateway starts beside the old
 * one. Until then it does everything else.
 */
export function keepBrain(dir: string, log: Logger): BrainKeeper {
  const taken = Promise.withResolvers<void>()
  let brain = openIfFree(dir, log, (problem) => log.warn({ problem }, 'brain_not_owned'))
  let timer: NodeJS.Timeout | undefined
  function tryAgain(): void {
    brain = openIfFree(dir, log, () => {})
    if (!brain) return
    clearInterval(timer)
    log.info({ dir }, 'brain_taken')
    taken.resolve()
  }
  if (brain) taken.resolve()
  else timer = setInterval(tryAgain, TRY_AGAIN_MS)
  return {
    current: () => brain,
    taken: taken.promise,
    async close() {
      clearInterval(timer)
      await brain?.close()
    },
  }
}

function openIfFree(dir: string, log: Logger, onRefused: (problem: string) => void): Brain | null {
  try {
    return openBrain({ dir, now: Date.now, onSkipped: (note) => log.warn(note, 'note_skipped') })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    onRefused(error.message)
    return null
  }
}

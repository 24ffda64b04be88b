import type { JobEvent } from './job.ts'

/** Clients show about this much of a progress message. */
const MESSAGE_CHARS = 200

/** One line for a person who watches a job. */
export function eventText(event: JobEvent): string {
  return shortened(fullText(event))
}

function fullText(event: JobEvent): string {
  switch (event.kind) {
    case 'generating':
      return `attempt ${event.attempt}/${event.of}: ${event.model} (${place(event)}) works`
    case 'verifying':
      return `attempt ${event.attempt}/${event.of}: ${event.model} judges`
    case 'applying':
      return `attempt ${event.attempt}/${event.of}: applying the accepted change`
    case 'judged': {
      const seconds = (event.durationMs / 1000).toFixed(1)
      const why = event.feedback === '' ? '' : `: ${event.feedback}`
      return `attempt ${event.attempt}/${event.of}: ${event.model} (${place(event)}, ${seconds} s) ${event.verdict}${why}`
    }
    case 'waiting':
      return `waiting ${(event.waitMs / 1000).toFixed(1)} s for ${event.model}: ${event.reason}`
    case 'done':
      return 'done'
  }
}

function place({ tier, warmStart }: { tier: string; warmStart: boolean }): string {
  if (tier !== 'local') return 'cloud'
  return warmStart ? 'local, warm' : 'local, cold'
}

function shortened(text: string): string {
  return text.length > MESSAGE_CHARS ? `${text.slice(0, MESSAGE_CHARS - 1)}…` : text
}

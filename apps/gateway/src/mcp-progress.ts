import { eventText } from '@hyperguild/core/event-text.ts'
import type { JobEvent } from '@hyperguild/core/job.ts'
import type { ServerContext } from '@modelcontextprotocol/server'

/** Tells a client that asked for it how its job goes. */
export interface Progress {
  isWanted: boolean
  start(message: string): void
  report(event: JobEvent): void
  stop(): void
}

/**
 * Progress on every phase, and in between, so that no client thinks the call dead: they give up after minutes without a
 * notification, and comments on the stream do not count for them.
 */
export function createProgress(ctx: ServerContext, heartbeatMs: number): Progress {
  const progressToken = ctx.mcpReq._meta?.progressToken
  let progress = 0
  let latest = 'queued'
  let timer: NodeJS.Timeout | undefined
  /** A quick worker may begin before we have said that the job is queued. */
  const early: JobEvent[] = []
  function send(): void {
    if (progressToken === undefined || ctx.mcpReq.signal.aborted) return
    progress += 1
    const params = { progressToken, progress, message: latest }
    ctx.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }
  function tell(event: JobEvent): void {
    if (event.kind === 'done') return
    latest = eventText(event)
    send()
  }
  return {
    isWanted: progressToken !== undefined,
    start(message) {
      latest = message
      send()
      timer = setInterval(send, heartbeatMs)
      for (const event of early.splice(0)) tell(event)
    },
    report(event) {
      if (timer === undefined) early.push(event)
      else tell(event)
    },
    stop() {
      clearInterval(timer)
    },
  }
}

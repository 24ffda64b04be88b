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
  function send(): void {
    if (progressToken === undefined || ctx.mcpReq.signal.aborted) return
    progress += 1
    const params = { progressToken, progress, message: latest }
    ctx.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }
  return {
    isWanted: progressToken !== undefined,
    start(message) {
      latest = message
      send()
      timer = setInterval(send, heartbeatMs)
    },
    report(event) {
      if (event.kind === 'done') return
      latest = eventText(event)
      send()
    },
    stop() {
      clearInterval(timer)
    },
  }
}

import { cancelJob } from '@hyperguild/io/queue/cancel-job.ts'
import type { Inbox } from '@hyperguild/io/queue/inbox.ts'
import type { JobRecords } from '@hyperguild/io/queue/record-step.ts'

export interface AttendanceOptions extends JobRecords {
  inbox: Inbox
  /** How long a job that has begun goes on without anybody who asks for it. */
  abandonMs: number
  onError(error: unknown): void
}

/** Jobs whose caller hung up in a protocol where that means "cancel". */
export interface Attendance {
  /** Call it when a caller left before the answer; its own listening must have stopped. */
  left(jobId: string): void
  /** From here on nobody leaves: connections end because the gateway does. */
  close(): void
}

/**
 * A job that nobody asks for any more is cancelled: at once while it only waits in its queue, else when nobody came back
 * for it in time. Whoever joins, waits for or looks at the job, at any gateway, has come back.
 */
export function createAttendance(options: AttendanceOptions): Attendance {
  const { store, inbox, abandonMs, onError } = options
  const timers = new Set<NodeJS.Timeout>()
  let closed = false

  async function consider(jobId: string): Promise<void> {
    if (inbox.isHeard(jobId)) return
    const others = (await store.waiters(jobId)).filter((id) => id !== inbox.gatewayId)
    if (others.length === 0 && !(await store.isBegun(jobId))) {
      await cancelJob(options, jobId)
      return
    }
    const seen = await store.lastSeen(jobId)
    const timer = setTimeout(() => {
      timers.delete(timer)
      void abandon(jobId, seen).catch(onError)
    }, abandonMs)
    if (closed) clearTimeout(timer)
    else timers.add(timer)
  }

  async function abandon(jobId: string, seenBefore: string | null): Promise<void> {
    if (inbox.isHeard(jobId) || (await store.lastSeen(jobId)) !== seenBefore) return
    await cancelJob(options, jobId)
  }

  return {
    left(jobId) {
      if (!closed) void consider(jobId).catch(onError)
    },
    close() {
      closed = true
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

import type { ModelsConfig } from '@hyperguild/core/models-config.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { Brain } from '@hyperguild/io/brain/brain.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import type { Inbox } from '@hyperguild/io/queue/inbox.ts'
import type { JobQueue } from '@hyperguild/io/queue/job-queue.ts'
import type { JobStore } from '@hyperguild/io/queue/job-store.ts'
import type { WorkerCard } from '@hyperguild/io/queue/presence.ts'

/** What a gateway works with; `gateway.ts` makes it. */
export interface GatewayDeps {
  store: JobStore
  queue: JobQueue
  inbox: Inbox
  skills: ReadonlyMap<string, Skill>
  models: ModelsConfig
  sessionsDir: string
  /** Null where another process owns the folder of notes. */
  brain: Brain | null
  /** Whether jobs are given the notes that fit them. */
  offersNotes: boolean
  jobSeconds: number
  unservedMs: number
  now(): number
  livingWorkers(): Promise<WorkerCard[]>
  log: Logger
}

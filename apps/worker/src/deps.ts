import type { ChatModel } from '@hyperguild/core/chat.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import type { Logger } from '@hyperguild/io/log/logger.ts'
import type { JobRecords } from '@hyperguild/io/queue/record-step.ts'

/** What a worker works with; `main.ts` makes it. */
export interface WorkerDeps extends JobRecords {
  workerId: string
  chat: ChatModel
  skills: ReadonlyMap<string, Skill>
  /** Directories under which projects may lie. */
  roots: readonly string[]
  /** Whether a local model is in memory now; never takes longer than 200 ms. */
  askWarm(model: string): Promise<boolean>
  log: Logger
}

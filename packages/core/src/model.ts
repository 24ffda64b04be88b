/** Where a model runs, as the session log spells it; `managed` is reserved for managed agents. */
export type Tier = 'local' | 'subagent' | 'managed'

/** The workers that serve a tier. */
export const POOLS = ['local', 'cloud'] as const
export type Pool = (typeof POOLS)[number]

/** `claude-*` is a cloud model; every other name is a model on the user's own hardware. */
export function tierOf(model: string): Tier {
  return model.startsWith('claude-') ? 'subagent' : 'local'
}

/** The pool whose workers serve this model. */
export function poolOf(model: string): Pool {
  return tierOf(model) === 'local' ? 'local' : 'cloud'
}

/**
 * The queue of a model: its pool, a dot, and its name without the `ollama/` prefix.
 * BullMQ forbids `:` in queue names and Redis key patterns dislike `/`, so other characters become `-`.
 * Two models of one configuration may not share a queue; the configuration check refuses that.
 */
export function queueOf(model: string): string {
  return `${poolOf(model)}.${serverNameOf(model).replace(/[^A-Za-z0-9._-]/g, '-')}`
}

/** Where accepted patches wait to be applied: they need no model, so a model that is down does not hold them up. */
export function applyQueueOf(pool: Pool): string {
  return `${pool}-apply`
}

/** The name a model server itself uses: LiteLLM's `ollama/x` is the server's own `x`. */
export function serverNameOf(model: string): string {
  return model.replace(/^ollama\//, '')
}

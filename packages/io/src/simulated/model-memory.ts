export interface ModelMemory {
  /** Waits until the model is in memory; loading goes on when the caller leaves. */
  load(model: string): Promise<void> | undefined
  /** Newest last. */
  running(): { model: string; state: 'starting' | 'ready' }[]
}

/**
 * The memory of a model server that holds a few models at a time: a model is loaded by its first call, and the one
 * loaded longest ago makes room.
 * @param loadMs how long each model takes to load; nothing when absent
 */
export function createModelMemory(slots: number, loadMs: ReadonlyMap<string, number>): ModelMemory {
  /** A model's promise while it loads, then null. Maps keep the order of insertion. */
  const models = new Map<string, Promise<void> | null>()

  function start(model: string): Promise<void> | undefined {
    if (models.size >= slots) models.delete(models.keys().next().value!)
    const ms = loadMs.get(model) ?? 0
    if (ms === 0) {
      models.set(model, null)
      return undefined
    }
    const loading = new Promise<void>((resolve) => {
      setTimeout(() => {
        if (models.get(model) === loading) models.set(model, null)
        resolve()
      }, ms).unref()
    })
    models.set(model, loading)
    return loading
  }

  return {
    load(model) {
      const known = models.get(model)
      return known === undefined ? start(model) : (known ?? undefined)
    },
    running: () =>
      [...models].map(([model, loading]) => ({ model, state: loading ? 'starting' : 'ready' })),
  }
}

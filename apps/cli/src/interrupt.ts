/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function untilInterrupted(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130))
        resolve('interrupted')
      })
    }
  })
}

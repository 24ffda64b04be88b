import { setTimeout as pause } from 'node:timers/promises'
import { memoryOf } from './kit/processes.ts'
import type { Row, Scenario } from './kit/scenario.ts'

const SETTLE_MS = 1000

/** What each process of a fleet that has nothing to do holds in memory. */
export const memory: Scenario = {
  name: 'memory',
  title: 'Memory of an idle fleet',
  async run(context) {
    const { processes } = await context.fleet('simulated')
    await pause(SETTLE_MS)
    const held = processes.map(({ name, pid }) => ({ name, ...memoryOf(pid) }))
    const rows: Row[] = held.map(({ name, rssMb, pssMb }) => ({
      what: name,
      value: rssMb,
      unit: 'MB',
      ...(pssMb === null ? {} : { note: `${pssMb.toFixed(0)} MB with shared pages split` }),
    }))
    const total = held.reduce((sum, { rssMb, pssMb }) => sum + (pssMb ?? rssMb), 0)
    return [...rows, { what: 'together', value: total, unit: 'MB', note: 'shared pages once' }]
  },
}

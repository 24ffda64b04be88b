import type { BenchFleet, FleetKind } from './fleet.ts'

/** A figure of one run. */
export interface Row {
  what: string
  value: number
  unit: string
  /** What the figure should keep to; absent when it is only told. */
  limit?: { atMost: number } | { atLeast: number }
  /** How it was come by, in a few words. */
  note?: string
}

/** Keeps something that must be closed when the run ends, however it ends. */
export type Keep = <T extends { close(): Promise<void> }>(part: T) => T

/** What scenarios share. */
export interface BenchContext {
  /** Fewer samples, for a look instead of a figure to quote. */
  quick: boolean
  /** A folder of this run alone; it is removed at the end. */
  folder: string
  keep: Keep
  /** A fleet, started by whoever asks for it first. */
  fleet(kind: FleetKind): Promise<BenchFleet>
}

/** One thing that is measured. It throws when it could not measure; a figure over its limit is still a figure. */
export interface Scenario {
  name: string
  title: string
  run(context: BenchContext): Promise<Row[]>
}

export function isWithinLimit({ value, limit }: Pick<Row, 'value' | 'limit'>): boolean {
  if (limit === undefined) return true
  return 'atMost' in limit ? value <= limit.atMost : value >= limit.atLeast
}

import { cpus, loadavg } from 'node:os'
import { isWithinLimit, type Row, type Scenario } from './scenario.ts'

/** What the figures were measured on. */
export interface Machine {
  cpu: string
  cores: number
  node: string
  /** Programs that ran or waited to run, over the minute before. */
  load: number
}

export function describeMachine(): Machine {
  const cores = cpus()
  const load = Math.round(loadavg()[0]! * 100) / 100
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    node: process.version,
    load,
  }
}

export function machineText({ cpu, cores, node, load }: Machine): string {
  const busy = load > cores / 2 ? '; other work is running, so times are too long' : ''
  return `${cpu}, ${cores} cores, Node ${node}, load ${load}${busy}`
}

/** A scenario's figures as lines that line up. */
export function rowsText({ title }: Pick<Scenario, 'title'>, rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    valueText(row.value),
    row.unit,
    limitText(row),
    verdictOf(row) ?? '',
    row.note ?? '',
  ])
  const widths = cells[0]!.map((_, column) =>
    Math.max(...cells.map((line) => line[column]!.length)),
  )
  const lines = cells.map((line) =>
    line
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths[1]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  )
  return [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

/** `ok` or `over`; null for a figure without a limit. */
export function verdictOf(row: Row): 'ok' | 'over' | null {
  if (row.limit === undefined) return null
  return isWithinLimit(row) ? 'ok' : 'over'
}

function limitText({ limit, unit }: Row): string {
  if (limit === undefined) return ''
  const text = 'atMost' in limit ? `at most ${limit.atMost}` : `at least ${limit.atLeast}`
  return `${text} ${unit}`.trimEnd()
}

function valueText(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}

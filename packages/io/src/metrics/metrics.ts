import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { type LabelsOf, METRICS, type MetricName, type MetricRow, type NamesOf } from './table.ts'

/** The numbers of one process, in the words of the table. */
export interface Metrics {
  /** Adds to a counter. */
  add<Name extends NamesOf<'counter'>>(name: Name, labels: LabelsOf<Name>, by?: number): void
  set<Name extends NamesOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void
  /** Notes one value in a histogram. */
  observe<Name extends NamesOf<'histogram'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
  ): void
  /** Forgets every value of a gauge, so that what nobody sets again is not shown. */
  clear(name: NamesOf<'gauge'>): void
  /** Called before each rendering, to bring gauges up to date. Must not throw. */
  beforeRender(refresh: () => Promise<void> | void): void
  /** Everything in the text format of Prometheus. */
  render(): Promise<{ contentType: string; text: string }>
}

/** @param build what runs: `component` is gateway or worker */
export function createMetrics(build: { component: string; version: string }): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const known = new Map<MetricName, Counter | Gauge | Histogram>()
  const refreshers: (() => Promise<void> | void)[] = []

  // Only what a process has to tell appears in its answer.
  function metric(name: MetricName): Counter | Gauge | Histogram {
    const made = known.get(name) ?? registered(name, METRICS[name], registry)
    known.set(name, made)
    return made
  }

  const metrics: Metrics = {
    add: (name, labels, by = 1) => (metric(name) as Counter).inc(labels, by),
    set: (name, labels, value) => (metric(name) as Gauge).set(labels, value),
    observe: (name, labels, value) => (metric(name) as Histogram).observe(labels, value),
    clear: (name) => metric(name).reset(),
    beforeRender: (refresh) => refreshers.push(refresh),
    async render() {
      for (const refresh of refreshers) await refresh()
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
  metrics.set('hyperguild_build_info', { ...build, node: process.version }, 1)
  return metrics
}

function registered(name: string, row: MetricRow, registry: Registry) {
  const { help, labels: labelNames, buckets = [] } = row
  const options = { name, help, labelNames: [...labelNames], registers: [registry] }
  if (row.kind === 'counter') return new Counter(options)
  if (row.kind === 'gauge') return new Gauge(options)
  return new Histogram({ ...options, buckets: [...buckets] })
}

import { parser } from '@prometheus-io/lezer-promql'

/** The names of the metrics that a query asks for. @throws {Error} when it is no PromQL */
export function metricsIn(query: string): string[] {
  const names: string[] = []
  parser.parse(query).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${query}`)
      if (type.name === 'VectorSelector' || type.name === 'Identifier') {
        const name = /^[a-zA-Z_:][\w:]*/.exec(query.slice(from, to))?.[0]
        if (name) names.push(name)
      }
    },
  })
  return [...new Set(names)]
}

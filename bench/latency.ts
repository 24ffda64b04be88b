import type { BenchFleet } from './kit/fleet.ts'
import { COURSES, type Course, runJob } from './kit/jobs.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median, percentile, sampleMs } from './kit/statistics.ts'

/** A review of two small files, one job at a time, from the call to the result. */
export const latency: Scenario = {
  name: 'latency',
  title: 'A review of two files, one job at a time, simulated models that answer at once',
  async run(context) {
    const fleet = await context.fleet('simulated')
    const rows: Row[] = []
    for (const course of COURSES) rows.push(...(await measureCourse(context, fleet, course)))
    return rows
  },
}

async function measureCourse(
  context: BenchContext,
  fleet: BenchFleet,
  course: Course,
): Promise<Row[]> {
  const samples = await sampleMs(context, () => runJob(fleet, course))
  return [
    {
      what: `${course.name}, p50`,
      value: median(samples),
      unit: 'ms',
      note: `${samples.length} jobs`,
    },
    { what: `${course.name}, p99`, value: percentile(samples, 0.99), unit: 'ms' },
  ]
}

import { type BenchFleet, STEPS_AT_ONCE } from './kit/fleet.ts'
import { COURSES, type Course, runJob, stepsOf } from './kit/jobs.ts'
import { startRawQueues } from './kit/raw-queues.ts'
import type { BenchContext, Row, Scenario } from './kit/scenario.ts'
import { median, percentile, sampleMs } from './kit/statistics.ts'

const OVERHEAD_PER_STEP_MS = 5

/** What the way through the fleet takes when neither a model nor a project does, one job at a time. */
export const overhead: Scenario = {
  name: 'overhead',
  title: 'Overhead: a skill without a project, one job at a time, workers answer by themselves',
  async run(context) {
    const fleet = await context.fleet('bare')
    const rows = await measureBaselines(context, fleet)
    for (const course of COURSES) rows.push(...(await measureCourse(context, fleet, course)))
    return rows
  },
}

/** What tells a slow machine from a slow fleet. */
async function measureBaselines(context: BenchContext, fleet: BenchFleet): Promise<Row[]> {
  const raw = await startRawQueues(context, {
    redisUrl: fleet.redisUrl,
    concurrency: STEPS_AT_ONCE,
  })
  const pings = await sampleMs(context, () => fleet.redis.ping())
  const jobs = await sampleMs(context, () => raw.runJob(0))
  return [
    { what: 'Redis round trip, p50', value: median(pings), unit: 'ms' },
    { what: 'BullMQ alone: job of 1 kB that does nothing, p50', value: median(jobs), unit: 'ms' },
  ]
}

async function measureCourse(
  context: BenchContext,
  fleet: BenchFleet,
  course: Course,
): Promise<Row[]> {
  const samples = await sampleMs(context, () => runJob(fleet, course))
  const p50 = median(samples)
  return [
    { what: `${course.name}, p50`, value: p50, unit: 'ms', note: `${samples.length} jobs` },
    { what: `${course.name}, p99`, value: percentile(samples, 0.99), unit: 'ms' },
    {
      what: `${course.name}, p50 per step`,
      value: p50 / stepsOf(course),
      unit: 'ms',
      limit: { atMost: OVERHEAD_PER_STEP_MS },
    },
  ]
}

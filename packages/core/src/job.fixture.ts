import { NO_USAGE, type Usage } from './chat.ts'
import { type Evidence, NO_EVIDENCE, type Patch, type TestRun } from './evidence.ts'
import type { Failure } from './failure.ts'
import { JOB_VERSION, type Job } from './job.ts'
import type { ApplyStep, GenerateStep, StepFacts, VerifyStep } from './step.ts'

/** A review of two local models, then a cloud model, submitted at 0 and due after a minute. */
export function aJob(changes: Partial<Job> = {}): Job {
  return {
    version: JOB_VERSION,
    id: 'job-1',
    tool: 'review',
    skill: 'review',
    phase: 'review',
    input: { project_root: '/home/me/shop', files: ['a.js'] },
    chain: ['ollama/small', 'ollama/large', 'claude-sonnet-4-6'],
    verifier: 'claude-sonnet-4-6',
    pinned: false,
    verify: 'both',
    delivers: 'answer',
    apply: false,
    principal: 'local',
    sessionId: 'session-1',
    history: '',
    material: '',
    submittedAtMs: 0,
    deadlineAtMs: 60_000,
    ...changes,
  }
}

export function usageOf(inputTokens: number, outputTokens: number): Usage {
  return { ...NO_USAGE, inputTokens, outputTokens }
}

const facts = (model: string, more: Partial<StepFacts>): StepFacts => ({
  model,
  startedAtMs: 1000,
  finishedAtMs: 3000,
  warmStart: true,
  worker: 'worker-1',
  ...more,
})

interface CandidateParts extends Partial<StepFacts> {
  output?: Record<string, unknown>
  evidence?: Evidence
  patch?: Patch
  usage?: Usage
}

/** A model's output that no check speaks against. */
export function candidate(model: string, parts: CandidateParts = {}): GenerateStep {
  const { output = { message: 'Done.' }, evidence = NO_EVIDENCE, patch = null, ...more } = parts
  const { usage = NO_USAGE, ...own } = more
  const outcome = { kind: 'candidate', output, evidence, patch, task: 'the task' } as const
  return { kind: 'generate', outcome, usage, ...facts(model, own) }
}

/** An output that the evidence speaks against. */
export function refuted(model: string, ...reasons: string[]): GenerateStep {
  const evidence = { ...NO_EVIDENCE, checks: [{ check: 'findings_exist', problems: reasons }] }
  const outcome = { kind: 'refuted', reasons, evidence, output: { message: 'Done.' } } as const
  return { kind: 'generate', outcome, usage: NO_USAGE, ...facts(model, {}) }
}

export function failed(
  model: string,
  failure: Failure,
  message = 'no answer',
  retryAfterMs?: number,
): GenerateStep {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
  const outcome = { kind: 'failed', failure, message, ...wait } as const
  return { kind: 'generate', outcome, usage: NO_USAGE, ...facts(model, { warmStart: false }) }
}

export function badInput(model: string, message: string): GenerateStep {
  const outcome = { kind: 'bad_input', message } as const
  return { kind: 'generate', outcome, usage: NO_USAGE, ...facts(model, {}) }
}

export function verdict(
  kind: 'accepted' | 'rejected',
  feedback: string,
  usage: Usage = NO_USAGE,
): VerifyStep {
  const at = { startedAtMs: 4000, finishedAtMs: 5500 }
  return {
    kind: 'verify',
    outcome: { kind, feedback },
    usage,
    ...facts('claude-sonnet-4-6', at),
  }
}

/** A verifier that gave no verdict. */
export function noVerdict(failure: Failure, message: string): VerifyStep {
  const outcome = { kind: 'failed', failure, message } as const
  return { kind: 'verify', outcome, usage: NO_USAGE, ...facts('claude-sonnet-4-6', {}) }
}

export function applying(model: string, reason: string | null = null): ApplyStep {
  const outcome = { applied: reason === null, reason }
  return { kind: 'apply', outcome, usage: NO_USAGE, ...facts(model, {}) }
}

export const PATCH: Patch = {
  baseCommit: 'c0ffee',
  diff: 'diff --git a/src/a.js b/src/a.js\n',
  files: [
    {
      path: 'src/a.js',
      status: 'modified',
      addedLines: 1,
      removedLines: 1,
      baseBlob: 'b1',
      newBlob: 'b2',
      baseMode: '100644',
      newMode: '100644',
    },
  ],
}

export function testRun(output: string): TestRun {
  return {
    command: 'npm test',
    exitCode: 0,
    timedOut: false,
    durationMs: 10,
    output,
    report: null,
    sandbox: 'none',
  }
}

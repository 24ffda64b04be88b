import { randomBytes } from 'node:crypto'
import { evidenceOf } from '@hyperguild/core/attempt.ts'
import { NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import type { Decision } from '@hyperguild/core/decide.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import type { Job } from '@hyperguild/core/job.ts'
import type { VerifyOutcome, Work } from '@hyperguild/core/step.ts'
import {
  parseVerdict,
  VERDICT_JSON_SCHEMA,
  verifierSystem,
  verifierTask,
} from '@hyperguild/core/verdict.ts'
import type { WorkerDeps } from './deps.ts'
import { withTimeLimit } from './time-limit.ts'

const VERDICT_TOKENS = 2_000

/** Lets the verifier judge a candidate. What is not a clear verdict rejects. */
export async function verify(
  deps: WorkerDeps,
  job: Job,
  { model, candidate }: Extract<Decision, { do: 'verify' }>,
  signal: AbortSignal,
): Promise<Extract<Work, { kind: 'verify' }>> {
  const { outcome } = candidate.generate
  const skill = deps.skills.get(job.tool)
  if (outcome.kind !== 'candidate' || !skill) {
    return verdict({
      kind: 'failed',
      failure: 'internal',
      message: 'this worker does not know the skill',
    })
  }
  const task = verifierTask({
    task: outcome.task,
    evidence: evidenceOf(outcome),
    output: outcome.output,
    diff: outcome.patch?.diff ?? '',
    nonce: randomBytes(8).toString('hex'),
  })
  const request = {
    model,
    system: verifierSystem(skill.discipline),
    messages: [{ role: 'user', text: task }],
    answerSchema: VERDICT_JSON_SCHEMA,
    maxOutputTokens: VERDICT_TOKENS,
  } as const
  try {
    const reply = await withTimeLimit(deps.verifierTimeoutMs, signal, (s) => deps.chat(request, s))
    const parsed = parseVerdict(reply.text)
    if (!parsed) return verdict(UNREADABLE, reply.usage)
    const kind = parsed.accept ? 'accepted' : 'rejected'
    return verdict({ kind, feedback: parsed.feedback }, reply.usage)
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    const { failure, message, retryAfterMs } = error
    return verdict({ kind: 'failed', failure, message, ...(retryAfterMs ? { retryAfterMs } : {}) })
  }
}

const UNREADABLE: VerifyOutcome = {
  kind: 'rejected',
  feedback: 'the verifier gave no readable verdict, which counts as a rejection',
}

function verdict(
  outcome: VerifyOutcome,
  usage: Usage = NO_USAGE,
): Extract<Work, { kind: 'verify' }> {
  return { kind: 'verify', outcome, usage }
}

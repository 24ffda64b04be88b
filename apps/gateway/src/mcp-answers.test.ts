import { advance } from '@hyperguild/core/advance.ts'
import { RequestError } from '@hyperguild/core/errors.ts'
import { aJob, candidate, PATCH, verdict } from '@hyperguild/core/job.fixture.ts'
import type { JobResult } from '@hyperguild/core/result.ts'
import { createLogger } from '@hyperguild/io/log/logger.ts'
import { JobGone } from '@hyperguild/io/queue/inbox.ts'
import { describe, expect, test } from 'vitest'
import { errorAnswer, resultAnswer } from './mcp-answers.ts'

const silent = createLogger('test', 'silent')

function resultWith(diff: string): JobResult {
  const job = aJob({ id: 'job-1' })
  const steps = [candidate(job.chain[0]!, { patch: { ...PATCH, diff } })]
  return advance(job, steps, verdict('accepted', 'Good.'), 9000).end!.result
}

describe('the answer with a result', () => {
  test('is the result as data and, for clients that read only that, as text', () => {
    const result = resultWith('diff')
    const answer = resultAnswer(result)
    expect(answer).toMatchObject({ isError: false, structuredContent: result })
    expect(answer.content).toEqual([{ type: 'text', text: JSON.stringify(result) }])
  })

  test('links to a change that is too long for it', () => {
    const answer = resultAnswer(resultWith('+'.repeat(200_000)))
    const uri = 'hyperguild://jobs/job-1/patch'
    expect(answer.structuredContent).toMatchObject({
      status: 'pass',
      patch: { diff: '', diff_uri: uri, files: PATCH.files },
    })
    expect(answer.content).toMatchObject([{ type: 'text' }, { type: 'resource_link', uri }])
    expect(JSON.stringify(answer).length).toBeLessThan(10_000)
  })

  test('is an error that begins with its reason when the job did not pass', () => {
    const job = aJob({ chain: [] })
    const result = advance(job, [], null, 9000).end!.result
    const answer = resultAnswer(result)
    expect(answer.isError).toBe(true)
    expect(answer.content).toMatchObject([
      { text: expect.stringMatching(`^${result.message.slice(0, 20)}`) },
    ])
  })
})

describe('a problem', () => {
  test('that the caller can mend is an answer in our words', () => {
    const error = new RequestError('invalid_argument', 'files: name at least one')
    expect(errorAnswer(silent, error)).toEqual({
      content: [{ type: 'text', text: 'files: name at least one' }],
      isError: true,
    })
    expect(errorAnswer(silent, new JobGone('job-1'))).toMatchObject({ isError: true })
  })

  test('that is ours is a protocol error that tells nothing of it', () => {
    const secret = new Error('connect ECONNREFUSED 10.0.0.7:6379')
    expect(() => errorAnswer(silent, secret)).toThrow('the gateway failed; its log says why')
  })
})

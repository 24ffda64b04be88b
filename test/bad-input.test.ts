import { describe, expect, test, vi } from 'vitest'
import { connectCaller } from './call-skill.ts'
import { keysOf, leftoversOf } from './leftovers.ts'
import { startTestFleet, type TestFleetOptions } from './test-fleet.ts'

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small, claude-big]
`
const GOOD = `
rules:
  - skill: verifier
    answer: {accept: true, feedback: Fine.}
  - skill: review
    answer: {message: Nothing to complain about., findings: []}
`
const FILES = {
  'src/cart.js': 'export const total = 1\n',
  'big.js': 'x'.repeat(200_001),
  'logo.png': new Uint8Array([137, 80, 78, 71, 0, 1]),
}

async function startFleet(options: Partial<TestFleetOptions> = {}) {
  const environment = { HYPERGUILD_SANDBOX: 'none', ...options.environment }
  const fleet = await startTestFleet({ script: GOOD, chains: CHAINS, ...options, environment })
  const project_root = await fleet.writeProject(FILES)
  const call = await connectCaller(fleet)
  return {
    fleet,
    project_root,
    call,
    review: (input: object) => call('review', { project_root, files: ['src/cart.js'], ...input }),
    jobsOf: async () => (await keysOf(fleet)).filter((key) => key.includes(':job:')),
    /** The answer may be there a moment before the queue has put the step away. */
    nothingIsLeft: () => vi.waitFor(async () => expect(await leftoversOf(fleet)).toEqual([])),
  }
}

describe('a call that cannot become a job is refused with what to do, and no job comes of it', () => {
  test.each([
    ['a missing argument', { files: undefined }, 'review: files: is missing; give an array'],
    ['an argument of another type', { files: 'src/cart.js' }, 'review: files: must be an array'],
    ['a misspelt argument', { fils: [] }, 'review: fils: unknown key; did you mean files?'],
    [
      'a session_id that is no name',
      { session_id: '../../etc/passwd' },
      'review: session_id: must match /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/',
    ],
    [
      'a model that is not configured',
      { model: 'ollama/smal' },
      'model: "ollama/smal" is not in models.yaml; use one of ollama/small, claude-big, claude-judge, or leave model out',
    ],
  ])('%s', async (_, input, message) => {
    const { review, jobsOf, fleet } = await startFleet()
    expect(await review(input)).toMatchObject({ isError: true, text: message })
    expect(await jobsOf()).toEqual([])
    expect(await leftoversOf(fleet)).toEqual([])
    expect(fleet.models.calls()).toEqual([])
  })

  test('a skill that does not exist', async () => {
    const { call, jobsOf } = await startFleet()
    await expect(call('reviw', {})).rejects.toMatchObject({
      code: -32602,
      message: expect.stringMatching(
        /^there is no tool "reviw" here; there are brain_query, .*review/,
      ),
    })
    expect(await jobsOf()).toEqual([])
  })

  test('a stage of another skill is no skill', async () => {
    const { call } = await startFleet()
    await expect(call('trainer_reader', { session_id: 's' })).rejects.toThrow(
      'there is no tool "trainer_reader"',
    )
  })
})

describe('a job that no model can work on ends at once with what to do, and calls no model', () => {
  test.each([
    [
      'a project outside the roots',
      { project_root: '/etc' },
      /^project_root: "\/etc" is outside the allowed roots \(\S+\): move it there, or add it to HYPERGUILD_ROOTS$/,
    ],
    [
      'a relative project',
      { project_root: 'shop' },
      /^project_root: "shop" must be the absolute path of a project directory$/,
    ],
    [
      'a missing file with a near name',
      { files: ['src/crt.js'] },
      /^"src\/crt\.js" does not exist in the project; did you mean "src\/cart\.js"\?$/,
    ],
    [
      'a missing file',
      { files: ['checkout.py'] },
      /^"checkout\.py" does not exist in the project; name files relative to the project root$/,
    ],
    [
      'a file outside the project',
      { files: ['../secret.js'] },
      /^"\.\.\/secret\.js" contains "\.\."; paths stay inside the project$/,
    ],
    [
      'a file that is too large',
      { files: ['big.js'] },
      /^"big\.js" is too large: 200001 bytes, and the limit is 200000; leave it out$/,
    ],
    [
      'a binary file',
      { files: ['logo.png'] },
      /^"logo\.png" is a binary file; only text can be read$/,
    ],
    ['a folder', { files: ['src'] }, /^"src" is a directory; name a file in it$/],
    [
      'several files, each with its problem',
      { files: ['src', 'src/cart.js', 'logo.png'] },
      /^"src" is a directory; name a file in it; "logo\.png" is a binary file; only text can be read$/,
    ],
  ])('%s', async (_, input, message) => {
    const { review, nothingIsLeft, fleet } = await startFleet()
    const answer = await review(input)
    expect(answer.isError).toBe(true)
    expect(answer.result).toMatchObject({
      status: 'error',
      model_used: '',
      attempts: [],
      message: expect.stringMatching(message),
    })
    // People read the sentence first, then the record.
    expect(answer.text.split('\n')[0]).toBe(answer.result.message)
    expect(fleet.models.calls()).toEqual([])
    await nothingIsLeft()
  })
})

describe('a model that no worker serves does not hold up the job', () => {
  const environment = { HYPERGUILD_UNSERVED_MS: '20' }

  test('the attempt says so and the next model works', async () => {
    const { review, nothingIsLeft } = await startFleet({ environment, pools: ['cloud'] })
    const { result } = await review({})
    expect(result.status).toBe('pass')
    expect(result.attempts).toMatchObject([
      {
        model: 'ollama/small',
        verdict: 'error',
        feedback:
          'unserved: no worker serves ollama/small; start one with: hyperguild worker --tier local --models ollama/small',
      },
      { model: 'claude-big', verdict: 'accept' },
    ])
    await nothingIsLeft()
  })

  test('with no worker at all the job ends and names every one that is missing', async () => {
    const { review, nothingIsLeft, fleet } = await startFleet({ environment, pools: [] })
    const answer = await review({})
    expect(answer.isError).toBe(true)
    expect(answer.result.attempts.map(({ verdict }) => verdict)).toEqual(['error', 'error'])
    expect(answer.text).toMatch(/hyperguild worker --tier local --models ollama\/small/)
    expect(answer.text).toMatch(/hyperguild worker --tier cloud --models claude-big/)
    await nothingIsLeft()

    // A worker that comes too late finds nothing to do.
    await fleet.startPool('local')
    expect((await review({ model: 'ollama/small' })).result.status).toBe('pass')
    expect(fleet.models.calls()).toHaveLength(1)
  })

  test('a verifier that no worker serves gives no verdict', async () => {
    const { review, nothingIsLeft } = await startFleet({ environment, pools: ['local'] })
    const { result } = await review({})
    expect(result.attempts).toMatchObject([
      {
        model: 'ollama/small',
        verdict: 'escalate',
        feedback: expect.stringMatching(
          /gave no verdict \(unserved: no worker serves claude-judge/,
        ),
      },
      { model: 'claude-big', verdict: 'error' },
    ])
    await nothingIsLeft()
  })
})

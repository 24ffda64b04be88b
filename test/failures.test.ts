import { openedBy } from '@hyperguild/core/health.ts'
import { createBreakers } from '@hyperguild/io/queue/breakers.ts'
import { keysFor } from '@hyperguild/io/queue/keys.ts'
import { createRateLimits } from '@hyperguild/io/queue/rate-limits.ts'
import { parseScript } from '@hyperguild/io/simulated/script.ts'
import { type SimulatedModels, startSimulatedModels } from '@hyperguild/io/simulated/server.ts'
import { Redis } from 'ioredis'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { type Answer, connectCaller } from './call-skill.ts'
import { startTestFleet, type TestFleet, type TestFleetOptions } from './test-fleet.ts'

const CHAINS = `
verifier: claude-judge
default_chain: [ollama/small, ollama/large, claude-big]
`
const CLOUD_FIRST = `
verifier: claude-judge
default_chain: [claude-big, ollama/small]
`
const GOOD = 'answer: {message: Nothing to complain about., findings: []}'
const ACCEPT = 'skill: verifier, answer: {accept: true, feedback: Fine.}'
const QUICK = {
  HYPERGUILD_BACKOFF_MS: '10',
  HYPERGUILD_BREAKER_FAILURES: '1',
  HYPERGUILD_BREAKER_OPEN_MS: '50',
}

const NO_LIMITS = { parallelCalls: null, requestsPerMinute: null, tokensPerMinute: null }

const script = (...rules: string[]) =>
  `rules:\n${rules.map((rule) => `  - {${rule}}`).join('\n')}\n`

async function startFleet(rules: string, options: Partial<TestFleetOptions> = {}) {
  const environment = { HYPERGUILD_SANDBOX: 'none', ...QUICK, ...options.environment }
  const fleet = await startTestFleet({ chains: CHAINS, ...options, script: rules, environment })
  const call = await connectCaller(fleet)
  const project_root = await fleet.writeProject({ 'cart.js': 'export const a = 1\n' })
  // Equal calls would share one job.
  let calls = 0
  const review = (input: object = {}) => {
    calls += 1
    return call('review', { project_root, files: ['cart.js'], context: `call ${calls}`, ...input })
  }
  return { fleet, review }
}

function redisOf(): Redis {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => redis.disconnect())
  return redis
}

const trailOf = ({ result }: Answer) =>
  result.attempts.map(({ model, verdict }) => `${model} ${verdict}`)
const feedbackOf = ({ result }: Answer) => result.attempts.map(({ feedback }) => feedback)
const calledModels = ({ models }: { models: SimulatedModels }) =>
  models.calls().map(({ model }) => model)

describe('a busy model is waited for', () => {
  test('after 429 the same model is asked again when the server said, as one attempt', async () => {
    const { fleet, review } = await startFleet(
      script(
        'model: small, times: 1, error: {status: 429, headers: {retry-after-ms: "100"}}',
        `model: small, ${GOOD}`,
        ACCEPT,
      ),
    )
    const answer = await review()
    expect(trailOf(answer)).toEqual(['ollama/small accept'])
    expect(feedbackOf(answer)).toEqual(['waited 0.1 s (rate_limited); Fine.'])
    expect(calledModels(fleet)).toEqual(['ollama/small', 'ollama/small', 'claude-judge'])
    expect(answer.progress).toContain('waiting 0.1 s for ollama/small: rate_limited')
  })

  test('so is an overloaded verifier, and nothing is accepted unseen', async () => {
    const { fleet, review } = await startFleet(
      script(
        `model: small, ${GOOD}`,
        'skill: verifier, times: 2, error: {status: 529}',
        'skill: verifier, answer: {accept: false, feedback: Prices are ignored.}',
        `model: claude-big, ${GOOD}`,
      ),
      { chains: 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n' },
    )
    const answer = await review()
    expect(trailOf(answer)).toEqual(['ollama/small escalate', 'claude-big accept'])
    expect(feedbackOf(answer)[0]).toMatch(
      /^(waited 0 s for the verifier \(overloaded\); ){2}Prices are ignored\.$/,
    )
    expect(calledModels(fleet).filter((model) => model === 'claude-judge')).toHaveLength(3)
  })

  test('but not longer than an attempt may wait', async () => {
    const { fleet, review } = await startFleet(
      script(
        'model: small, error: {status: 429, headers: {retry-after: "3600"}}',
        `model: large, ${GOOD}`,
        ACCEPT,
      ),
    )
    expect(trailOf(await review())).toEqual(['ollama/small error', 'ollama/large accept'])
    expect(calledModels(fleet)).toEqual(['ollama/small', 'ollama/large', 'claude-judge'])
  })
})

test('a task too long for one model skips those that hold no more', async () => {
  const { fleet, review } = await startFleet(
    script(
      'model: small, error: {status: 400, message: "prompt is too long: 9000 tokens > 8000 maximum"}',
      `model: claude-big, ${GOOD}`,
    ),
    { chains: `${CHAINS}models: {ollama/small: {context: 8000}, ollama/large: {context: 8000}}\n` },
  )
  expect(trailOf(await review())).toEqual(['ollama/small error', 'claude-big accept'])
  expect(calledModels(fleet)).toEqual(['ollama/small', 'claude-big'])
})

describe('a model that nobody can call is not called again', () => {
  const SPENT =
    'You have reached your specified API usage limits. You will regain access on 2099-01-01.'

  test('a spent budget shuts it until its date', async () => {
    const { fleet, review } = await startFleet(
      script(
        `model: claude-big, error: {status: 400, message: "${SPENT}"}`,
        `model: small, ${GOOD}`,
        ACCEPT,
      ),
      { chains: CLOUD_FIRST },
    )
    expect(trailOf(await review())).toEqual(['claude-big error', 'ollama/small accept'])
    const later = await review()
    expect(trailOf(later)).toEqual(['claude-big error', 'ollama/small accept'])
    expect(feedbackOf(later)[0]).toMatch(/^breaker_open: not asked: budget_exhausted: /)
    expect(calledModels(fleet).filter((model) => model === 'claude-big')).toHaveLength(1)
  })

  test('a refused key shuts it until a worker starts anew', async () => {
    const { fleet, review } = await startFleet(
      script(
        'model: claude-big, times: 1, error: {status: 401}',
        `model: claude-big, ${GOOD}`,
        `model: small, ${GOOD}`,
        ACCEPT,
      ),
      { chains: CLOUD_FIRST },
    )
    await review()
    expect(feedbackOf(await review())[0]).toMatch(/^breaker_open: not asked: auth: /)
    await fleet.startPool('cloud')
    await vi.waitFor(
      async () => expect(trailOf(await review())).toEqual(['claude-big accept']),
      10_000,
    )
  })
})

test('a model without a key is given up at once, and nobody waits for it', async () => {
  const { review } = await startFleet(script('text: never asked'), {
    chains: 'verifier: claude-judge\ndefault_chain: [claude-big]\n',
    environment: { ANTHROPIC_API_KEY: '' },
  })
  expect(feedbackOf(await review())[0]).toMatch(/^network: .*set ANTHROPIC_API_KEY$/)
  const answer = await review()
  expect(feedbackOf(answer)[0]).toMatch(/^breaker_open: not asked: network: .*ANTHROPIC_API_KEY$/)
  expect(answer.progress).not.toContainEqual(expect.stringContaining('waiting'))
})

test('a new job passes by a model whose breaker is open, also while no worker is there', async () => {
  const { fleet, review } = await startFleet(script('text: never asked'), { pools: [] })
  const breakers = createBreakers(redisOf(), keysFor(fleet.redisPrefix), Date.now)
  const refused = { failure: 'auth', message: 'the key was refused' } as const
  for (const model of ['ollama/small', 'ollama/large', 'claude-big']) {
    await breakers.set(model, openedBy(refused, null, 1000, Date.now()))
  }
  const answer = await review()
  expect(answer.result.attempts).toHaveLength(3)
  expect(new Set(feedbackOf(answer))).toEqual(
    new Set(['breaker_open: not asked: auth: the key was refused']),
  )
})

describe('a dead server', () => {
  const SERVED = parseScript(
    script('skill: review, times: 1, hang: true', `model: small, ${GOOD}`),
    'the local server',
  )
  const RECOVERED = parseScript(script(`model: small, ${GOOD}`), 'the local server')

  async function startLocal(port = 0, served = SERVED): Promise<SimulatedModels> {
    const local = await startSimulatedModels({ script: served, port })
    onTestFinished(() => local.close())
    return local
  }

  const waitingFor = (fleet: TestFleet, count: number) => {
    const redis = redisOf()
    const wait = `${keysFor(fleet.redisPrefix).prefix}:local.small:wait`
    return vi.waitFor(async () => expect(await redis.llen(wait)).toBe(count), 10_000)
  }

  test('loses its waiting jobs to the next models at once, and gets jobs again when it is back', async () => {
    const local = await startLocal()
    const { fleet, review } = await startFleet(script(`model: claude-big, ${GOOD}`, ACCEPT), {
      chains: 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n',
      environment: { LITELLM_BASE_URL: local.url, LLAMA_SWAP_URL: local.url },
    })
    const first = review()
    await local.waitForCall(() => true)
    const others = Promise.all([review(), review(), review()])
    await waitingFor(fleet, 3)
    await local.close()

    expect(feedbackOf(await first)[0]).toMatch(/^network: /)
    for (const answer of await others) {
      expect(trailOf(answer)).toEqual(['ollama/small error', 'claude-big accept'])
      expect(feedbackOf(answer)[0]).toMatch(/^breaker_open: not asked: network: /)
    }
    expect(feedbackOf(await review())[0]).toMatch(/^breaker_open: /)

    const back = await startLocal(Number(new URL(local.url).port), RECOVERED)
    await vi.waitFor(async () => expect(trailOf(await review())).toEqual(['ollama/small accept']), {
      timeout: 15_000,
    })
    expect(calledModels({ models: back })).toContain('ollama/small')
    const { breakers } = keysFor(fleet.redisPrefix)
    await vi.waitFor(async () => expect(await redisOf().hlen(breakers)).toBe(0))
  })

  test('a model that answers badly is not at a dead server', async () => {
    const { review } = await startFleet(
      script('model: small, text: "It looks { fine"', `model: claude-big, ${GOOD}`),
      { chains: 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n' },
    )
    for (const answer of [await review(), await review(), await review()]) {
      expect(feedbackOf(answer)[0]).toMatch(/^bad_output: /)
    }
  })
})

describe('a model has its time', () => {
  const chains = 'verifier: claude-judge\ndefault_chain: [ollama/small, claude-big]\n'
  const loading = (rules: string) => `load_ms: {small: 400}\n${rules}`

  test('a cold one has more of it, so that it can be loaded', async () => {
    const { review } = await startFleet(loading(script(`model: small, ${GOOD}`, ACCEPT)), {
      chains,
      environment: { HYPERGUILD_FIRST_TOKEN_MS: '100', HYPERGUILD_COLD_START_MS: '15000' },
    })
    const answer = await review()
    expect(trailOf(answer)).toEqual(['ollama/small accept'])
    expect(answer.result.attempts[0]).toMatchObject({ warm_start: false, load_ms: null })
  })

  test('one that is still not loaded then gives way', async () => {
    const { review } = await startFleet(
      loading(script(`model: small, ${GOOD}`, `model: claude-big, ${GOOD}`)),
      {
        chains,
        environment: { HYPERGUILD_FIRST_TOKEN_MS: '100', HYPERGUILD_COLD_START_MS: '1' },
      },
    )
    const answer = await review()
    expect(trailOf(answer)).toEqual(['ollama/small error', 'claude-big accept'])
    expect(feedbackOf(answer)[0]).toMatch(/^timeout_first_token: /)
  })

  test('a warm one has no time for loading', async () => {
    const { review } = await startFleet(
      script(
        `model: small, times: 1, ${GOOD}`,
        'model: small, hang: true',
        `model: claude-big, ${GOOD}`,
        ACCEPT,
      ),
      {
        chains,
        environment: { HYPERGUILD_FIRST_TOKEN_MS: '2000', HYPERGUILD_COLD_START_MS: '600000' },
      },
    )
    await review()
    const answer = await review()
    expect(answer.result.attempts[0]).toMatchObject({ verdict: 'error', warm_start: true })
    expect(feedbackOf(answer)[0]).toMatch(/^timeout_first_token: .* within 2000 ms/)
  })

  test('one that falls silent in the middle gives way', async () => {
    const { review } = await startFleet(
      script(`model: small, stall_after_chunks: 1, ${GOOD}`, `model: claude-big, ${GOOD}`),
      { chains, environment: { HYPERGUILD_STALL_MS: '100' } },
    )
    const answer = await review()
    expect(trailOf(answer)).toEqual(['ollama/small error', 'claude-big accept'])
    expect(feedbackOf(answer)[0]).toMatch(/^timeout_stall: /)
  })
})

describe('limits hold for the whole fleet', () => {
  async function startLocal(rules: string): Promise<SimulatedModels> {
    const local = await startSimulatedModels({ script: parseScript(rules, 'the local server') })
    onTestFinished(() => local.close())
    return local
  }

  test('a backend that takes one call at a time gets one, from all its models', async () => {
    const local = await startLocal(script(`delay_ms: 200, ${GOOD}`))
    const { review } = await startFleet(script(ACCEPT), {
      chains: `
verifier: claude-judge
default_chain: [ollama/small, ollama/large]
backends: {gpu-box: {kind: litellm, url: "${local.url}", parallel_calls: 1}}
`,
      environment: { LITELLM_BASE_URL: '', LLAMA_SWAP_URL: '' },
      concurrency: 4,
    })
    let isFree = true
    const overlaps: boolean[] = []
    const watch = async (nth: number) => {
      const call = await local.waitForCall((one) => local.calls().indexOf(one) === nth)
      overlaps.push(!isFree)
      isFree = false
      await call.ended
      isFree = true
    }
    const watched = Promise.all([watch(0), watch(1), watch(2), watch(3)])
    const models = ['ollama/small', 'ollama/large', 'ollama/small', 'ollama/large']
    const answers = await Promise.all(models.map((model) => review({ model })))
    await watched
    expect(answers.map(({ result }) => result.status)).toEqual(['pass', 'pass', 'pass', 'pass'])
    expect(overlaps).toEqual([false, false, false, false])
  })

  test('a model whose requests of the minute are used up is not called, and its queue waits', async () => {
    const { fleet, review } = await startFleet(script(`model: small, ${GOOD}`, ACCEPT), {
      chains: `${CHAINS}models: {ollama/small: {requests_per_minute: 120}}\n`,
    })
    const redis = redisOf()
    const keys = keysFor(fleet.redisPrefix)
    const limits = [{ ...NO_LIMITS, scope: 'model:ollama/small', requestsPerMinute: 120 }]
    const elsewhere = createRateLimits(redis, keys, { limitsOf: () => limits, now: Date.now })
    await elsewhere.charge('ollama/small', { requests: 121, tokens: 0 })

    const answer = review()
    const hold = `${keys.prefix}:local.small:limiter`
    await vi.waitFor(async () => expect(await redis.get(hold)).toBe(`${Number.MAX_SAFE_INTEGER}`))
    expect(calledModels(fleet)).toEqual([])
    expect(trailOf(await answer)).toEqual(['ollama/small accept'])
  })
})

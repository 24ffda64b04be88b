import { readFileSync } from 'node:fs'

export interface DemoJob {
  skill: string
  /** What a person should watch for. */
  story: string
  input: Readonly<Record<string, unknown>>
}

const EXAMPLES = new URL('../../../examples/', import.meta.url)
export const SAMPLE_PROJECT = new URL('shop/', EXAMPLES)

const TEST_PATH = 'test/shipping.test.js'

/** The jobs of the demo, on a copy of examples/shop. */
export function demoJobs(projectRoot: string): DemoJob[] {
  const common = { project_root: projectRoot, session_id: 'demo' }
  return [
    {
      skill: 'review',
      story: 'two files reviewed; the first model misreads them and the verifier says so',
      input: { ...common, files: ['src/prices.js', 'src/discounts.js'] },
    },
    {
      skill: 'debug',
      story: 'a stack trace explained by the first model',
      input: {
        ...common,
        error: readFileSync(new URL('shop/errors/checkout-error.txt', EXAMPLES), 'utf8'),
      },
    },
    {
      skill: 'spec',
      story: 'a specification that no local model gets right',
      input: {
        ...common,
        requirements:
          'Customers want to pay with gift cards: a card has a number and a balance, pays a cart wholly or in part, and may be used again until it is empty.',
      },
    },
    {
      skill: 'tdd_red',
      story: 'a failing test, proved to fail because the feature is missing',
      input: {
        ...common,
        spec: 'shippingCost(cart) in src/shipping.js gives the shipping cost in cents: 490, free from a subtotal of 5000 on, 0 for an empty cart',
        test_path: TEST_PATH,
      },
    },
    {
      skill: 'tdd_green',
      story: 'the local model cheats by editing the test; the evidence catches it',
      input: { ...common, test_path: TEST_PATH },
    },
    {
      skill: 'tdd_refactor',
      story: 'cleaner code, the tests pass before and after',
      input: { ...common, test_path: TEST_PATH, impl_path: 'src/shipping.js' },
    },
  ]
}

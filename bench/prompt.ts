import { fileURLToPath } from 'node:url'
import { askFor } from '@hyperguild/core/answer.ts'
import { CHARS_PER_TOKEN } from '@hyperguild/core/loop/history.ts'
import { packFiles } from '@hyperguild/core/loop/pack-files.ts'
import { disciplineFor, taskText } from '@hyperguild/core/prompt.ts'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { gatherFiles } from '@hyperguild/io/work/project-files.ts'
import type { Row, Scenario } from './kit/scenario.ts'

const SHOP = fileURLToPath(new URL('../examples/shop', import.meta.url))
const CONTEXT_TOKENS = 32_768

/** A call of each skill on the sample project, as the examples describe them. */
const CALLS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  review: { files: ['src/prices.js', 'src/discounts.js'] },
  debug: {
    error: 'TypeError\n    at fullPriceCents (src/prices.js:10:18)\n    at src/cart.js:13:7',
  },
  spec: { requirements: 'Customers want to pay with gift cards.' },
  tdd_red: { spec: 'shippingCost(cart) in src/shipping.js', test_path: 'test/shipping.test.js' },
  tdd_green: { test_path: 'test/cart.test.js' },
  tdd_refactor: { test_path: 'test/cart.test.js', impl_path: 'src/cart.js' },
}

/** How many tokens the first message of each skill takes of a weak model's context. */
export const prompt: Scenario = {
  name: 'prompt',
  title: 'Tokens of the packed prompt, sample project',
  async run() {
    const { skills } = loadConfig(readEnvironment())
    const rows: Row[] = []
    for (const [tool, given] of Object.entries(CALLS)) {
      const skill = skills.get(tool)!
      const input = { project_root: SHOP, ...given }
      const gathered = await gatherFiles(SHOP, skill, input)
      if (!gathered.ok) throw new Error(gathered.problem)
      const files = packFiles(gathered.files, CONTEXT_TOKENS)
      const job = { tool, input, history: '', material: '' }
      const task = taskText({ job, files, feedback: '', nonce: '0123456789abcdef' })
      const system = `${disciplineFor(skill, input)}\n\n${askFor(skill.output ?? {})}`
      rows.push({
        what: tool,
        value: Math.round((system.length + task.length) / CHARS_PER_TOKEN),
        unit: 'tokens',
        limit: { atMost: CONTEXT_TOKENS },
        note: `${files.length} files packed, ${CHARS_PER_TOKEN} characters a token`,
      })
    }
    return rows
  },
}

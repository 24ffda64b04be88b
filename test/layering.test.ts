import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { layeringProblems, missingImports } from './imports.ts'

const files = globSync('{packages,apps}/*/{src,bin}/**/*.{ts,js}').map((file) => ({
  file,
  text: readFileSync(file, 'utf8'),
}))

test('every source file imports only what its layer may', () => {
  expect(files.length).toBeGreaterThan(20)
  expect(files.flatMap(layeringProblems)).toEqual([])
})

test('every import of a local file leads to a file', () => {
  expect(files.flatMap(missingImports)).toEqual([])
})

describe('the layering check notices', () => {
  test.each([
    ['a static import', 'packages/core/src/a.ts', "import { x } from '@hyperguild/io/x.ts'"],
    ['a type import', 'packages/core/src/a.ts', "import type { Redis } from 'ioredis'"],
    ['a bare import', 'packages/core/src/a.ts', "import 'node:fs'"],
    ['an import of many lines', 'packages/core/src/a.ts', "import {\n  a,\n  b,\n} from 'node:fs'"],
    ['a re-export', 'packages/core/src/a.ts', "export { x } from 'pino'"],
    ['a re-export of everything', 'packages/core/src/a.ts', "export * from 'pino'"],
    ['a dynamic import', 'packages/core/src/a.ts', "const x = await import('node:fs')"],
    ['io importing an app', 'packages/io/src/a.ts', "import { x } from '@hyperguild/gateway/x.ts'"],
    ['an app importing an app', 'apps/cli/src/a.ts', "import { x } from '@hyperguild/worker/x.ts'"],
    ['a path out of a package', 'apps/cli/src/a.ts', "import { x } from '../../worker/src/x.ts'"],
    ['an undeclared package', 'apps/worker/src/a.ts', "import { pino } from 'pino'"],
    ['bullmq elsewhere', 'packages/io/src/queue/other.ts', "import { Queue } from 'bullmq'"],
    ['a model SDK elsewhere', 'packages/io/src/work/a.ts', "import { generateText } from 'ai'"],
    ['a provider elsewhere', 'packages/io/src/work/a.ts', "import { a } from '@ai-sdk/anthropic'"],
    [
      'the MCP server elsewhere',
      'apps/gateway/src/app.ts',
      "import { McpServer } from '@modelcontextprotocol/server'",
    ],
    ['the environment elsewhere', 'apps/cli/src/a.ts', 'const port = process.env.PORT'],
    ['the environment taken apart', 'apps/cli/src/a.ts', 'const { env } = process'],
    ['the environment imported', 'apps/cli/src/a.ts', "import { env } from 'node:process'"],
    ['a test of core importing io', 'packages/core/src/a.test.ts', "import '@hyperguild/io/x.ts'"],
    ['an import after a comment', 'packages/core/src/a.ts', "/* a */\nimport 'node:fs'"],
  ])('%s', (_, file, text) => {
    expect(layeringProblems({ file, text })).toHaveLength(1)
  })

  test.each([
    ['bullmq at home', 'packages/io/src/queue/job-queue.ts', "import { Queue } from 'bullmq'"],
    [
      'the MCP server at home',
      'apps/gateway/src/mcp.ts',
      "import { McpServer } from '@modelcontextprotocol/server'",
    ],
    [
      'the MCP server in its second home',
      'packages/io/src/claude-code/offer-tools.ts',
      "import { McpServer } from '@modelcontextprotocol/server'",
    ],
    ['the environment at home', 'packages/io/src/config/environment.ts', 'read(process.env)'],
    ['words in a comment', 'packages/core/src/a.ts', "// import 'node:fs'\n/* process.env */"],
    ['a neighbour', 'packages/core/src/a.ts', "import { b } from './deep/b.ts'"],
    ['vitest in a test', 'packages/core/src/a.test.ts', "import { test } from 'vitest'"],
  ])('nothing wrong in %s', (_, file, text) => {
    expect(layeringProblems({ file, text })).toEqual([])
  })

  test('an import that leads nowhere', () => {
    const broken = (text: string) => missingImports({ file: 'packages/io/src/a.ts', text })
    expect(broken("import { a } from '@hyperguild/core/no-such-file.ts'")).toHaveLength(1)
    expect(broken("import { a } from './no-such-file.ts'")).toHaveLength(1)
    expect(broken("import { a } from '@hyperguild/core/decide.ts'")).toEqual([])
  })
})

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { probeSandbox } from '@hyperguild/io/work/probe-sandbox.ts'
import { runSandboxed } from '@hyperguild/io/work/sandbox.ts'
import type { Scenario } from './kit/scenario.ts'
import { median } from './kit/statistics.ts'

const OVERHEAD_LIMIT_MS = 25

/** What confining a command costs, against the same command without a sandbox, in turn. */
export const sandbox: Scenario = {
  name: 'sandbox',
  title: 'A command in the sandbox',
  async run({ folder, quick }) {
    const workDir = join(folder, 'sandbox')
    await mkdir(workDir, { recursive: true })
    const { level } = await probeSandbox('auto')
    const times = { confined: [] as number[], plain: [] as number[] }
    const once = async (at: typeof level, into: number[]) => {
      const startedAt = performance.now()
      const request = { level: at, command: 'true', workDir, limits: { wallMs: 10_000 } }
      await runSandboxed(request, new AbortController().signal)
      into.push(performance.now() - startedAt)
    }
    for (let round = 0; round < (quick ? 5 : 25); round++) {
      await once(level, times.confined)
      await once('none', times.plain)
    }
    const confined = median(times.confined)
    const plain = median(times.plain)
    return [
      { what: `true, ${level}`, value: confined, unit: 'ms' },
      { what: 'true, no sandbox', value: plain, unit: 'ms' },
      {
        what: 'overhead',
        value: confined - plain,
        unit: 'ms',
        limit: { atMost: OVERHEAD_LIMIT_MS },
      },
    ]
  },
}

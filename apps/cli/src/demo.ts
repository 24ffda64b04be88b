import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JobResult } from '@hyperguild/core/result.ts'
import { type Environment, environmentWith } from '@hyperguild/io/config/environment.ts'
import { loadConfig } from '@hyperguild/io/config/load-config.ts'
import { type DemoJob, demoJobs, SAMPLE_PROJECT } from './demo-jobs.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { untilInterrupted } from './interrupt.ts'
import { connectTo, type SkillCaller } from './mcp-client.ts'
import { chooseModelSource } from './model-source.ts'
import { attemptCostText, moneyLines } from './money.ts'
import { outputLines } from './output-lines.ts'
import { print, style, table, wrapped } from './terminal.ts'

/** A first look must not set somebody's own model server or login to work: only what is configured is used. */
const NOT_SEARCHED = async () => []

function withoutLogin(environment: Environment): Environment {
  return { ...environment, claude: { ...environment.claude, configDir: undefined } }
}

/** Starts a fleet, lets it do the demo's jobs, shows each attempt as it happens, and stops everything again. */
export async function demo(environment: Environment, asJson: boolean): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-demo-'))
  const projectRoot = join(folder, 'shop')
  const say = asJson ? () => {} : print
  await cp(fileURLToPath(SAMPLE_PROJECT), projectRoot, { recursive: true })
  say(style('bold', 'hyperguild demo: gateway, Redis, a local and a cloud worker on this machine'))
  const config = loadConfig(environment).models
  const models = await chooseModelSource(config, withoutLogin(environment), NOT_SEARCHED)
  if (models.kind === 'simulated') {
    say(
      style(
        'yellow',
        'The models are SIMULATED: a server that speaks the real protocols answers from a script.',
      ),
    )
  }
  let fleet: Fleet | undefined
  const interrupted = untilInterrupted()
  try {
    fleet = await startFleet({
      environment,
      models,
      dataDir: join(folder, 'data'),
      brainDir: join(folder, 'brain'),
      sessionsDir: join(folder, 'brain', 'sessions'),
      port: 0,
      roots: [folder],
      logLevel: 'warn',
    })
    say(`Gateway: ${fleet.url}/mcp    board: ${fleet.url}/board`)
    const ended = await Promise.race([runJobs(fleet, projectRoot, say), interrupted, fleet.broken])
    if (typeof ended === 'string') {
      say(`\n${style('red', ended)}: stopping`)
      return ended === 'interrupted' ? 130 : 1
    }
    if (asJson) print(JSON.stringify({ simulated: fleet.simulated, results: ended }))
    return ended.every((result) => result.status === 'pass') ? 0 : 1
  } finally {
    await fleet?.close()
    await rm(folder, { recursive: true, force: true })
    say(style('dim', 'Everything that the demo started has been stopped.'))
  }
}

async function runJobs(
  fleet: Fleet,
  projectRoot: string,
  say: (line?: string) => void,
): Promise<JobResult[]> {
  const client = await connectTo(fleet.url)
  try {
    const results: JobResult[] = []
    for (const job of demoJobs(projectRoot)) results.push(await runJob(client, job, say))
    say(`\n${style('bold', 'The trail')}`)
    say(trail(results))
    say(`\n${totals(results)}`)
    for (const line of moneyLines(results, fleet.simulated)) say(line)
    say(await projectState(projectRoot, results))
    return results
  } finally {
    await client.close()
  }
}

async function runJob(
  client: SkillCaller,
  job: DemoJob,
  say: (line?: string) => void,
): Promise<JobResult> {
  say(`\n${style('bold', job.skill)}  ${style('dim', job.story)}`)
  const result = await client.call(job.skill, job.input, (message) => say(`  ${coloured(message)}`))
  const status = result.status === 'pass' ? style('green', 'pass') : style('red', result.status)
  say(`  ${status}  ${result.message}`)
  for (const line of outputLines(result)) say(wrapped(line, '      '))
  if (result.patch) say(`      ${patchLine(result.patch)}`)
  return result
}

function patchLine({ files, applied, reason }: NonNullable<JobResult['patch']>): string {
  const changes = files.map((f) => `${f.path} +${f.addedLines ?? '?'} -${f.removedLines ?? '?'}`)
  const fate = applied ? 'applied to the project' : `not applied: ${reason}`
  return `patch ${changes.join(', ')}: ${fate}`
}

function coloured(message: string): string {
  return message
    .replace(/\) accept\b/, `) ${style('green', 'accept')}`)
    .replace(/\) escalate\b/, `) ${style('yellow', 'escalate')}`)
    .replace(/\) error\b/, `) ${style('red', 'error')}`)
}

/** What the jobs did to the project itself, and whether its tests pass. */
async function projectState(projectRoot: string, results: readonly JobResult[]): Promise<string> {
  const applied = results.filter((result) => result.patch?.applied).length
  const files = new Set(results.flatMap((r) => r.patch?.files.map((file) => file.path) ?? []))
  const tests = await new Promise<string>((resolve) => {
    const options = { cwd: projectRoot, env: environmentWith({ NODE_TEST_CONTEXT: undefined }) }
    execFile(process.execPath, ['--test'], options, (error) =>
      resolve(error ? style('red', 'fail') : style('green', 'pass')),
    )
  })
  return `The project was changed ${applied} times, once for each accepted patch (${[...files].join(', ')}); its tests ${tests}.`
}

function trail(results: readonly JobResult[]): string {
  const rows = results.flatMap((result) =>
    result.attempts.map((a) => [
      result.phase,
      a.attempt,
      a.model,
      a.tier,
      a.tier === 'local' ? (a.warm_start ? 'warm' : 'cold') : '',
      a.duration_ms,
      a.verdict,
      a.usage.inputTokens ?? 'unknown',
      a.usage.outputTokens ?? 'unknown',
      attemptCostText(a),
    ]),
  )
  const head = ['job', 'try', 'model', 'tier', 'start', 'ms', 'verdict', 'tokens in', 'out']
  return table([...head, 'cost + verifier'], rows)
}

function totals(results: readonly JobResult[]): string {
  const passed = results.filter((result) => result.status === 'pass').length
  const local = results.filter(
    (r) => r.attempts.at(-1)?.tier === 'local' && r.status === 'pass',
  ).length
  const sum = (pick: (r: JobResult) => number | null | undefined) =>
    results.reduce((total, result) => total + (pick(result) ?? 0), 0)
  const tokens = `${sum((r) => r.usage?.inputTokens)} tokens in, ${sum((r) => r.usage?.outputTokens)} out, verifier included`
  return `${passed} of ${results.length} jobs passed, ${local} of them by a local model; ${tokens}.`
}

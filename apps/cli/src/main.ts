import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { readEnvironment } from '@hyperguild/io/config/environment.ts'
import { report } from '@hyperguild/io/process/service.ts'
import { Command } from 'commander'
import { check } from './check.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { start } from './start.ts'

const program = new Command('hyperguild')
  .description('Development skills for coding agents, done by the cheapest model that really can.')
  .showHelpAfterError()

program
  .command('demo')
  .description('run real jobs through a fleet on this machine, and stop it again')
  .option('--json', 'print the results as JSON')
  .action((options) => exitWith(async () => demo(readEnvironment(), options.json ?? false)))

program
  .command('start')
  .description('keep a fleet up on this machine: Redis, gateway, a local and a cloud worker')
  .action(() => exitWith(async () => start(readEnvironment())))

program
  .command('check')
  .description('check every configuration file and print all problems at once')
  .option('--json', 'print the problems as JSON')
  .action((options) => exitWith(async () => check(readEnvironment(), options.json ?? false)))

program
  .command('doctor')
  .description('look at this machine, the model servers and their models, and say what to do')
  .option('--json', 'print the report as JSON')
  .option('--all', 'also call cold and cloud models, which loads them and may cost money')
  .option('--no-calls', 'call no model at all')
  .action((options) => exitWith(async () => doctor(readEnvironment(), options)))

for (const service of ['gateway', 'worker']) {
  program
    .command(service)
    .description(`run one ${service} of a fleet (see: hyperguild ${service} --help)`)
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_options, command: Command) => exitWith(() => runApp(service, command.args)))
}

await program.parseAsync()

/** Ends the process with the action's exit code, problems told in plain words. */
async function exitWith(action: () => Promise<number>): Promise<never> {
  process.exit(await action().catch(report))
}

/** Runs one of the other apps in our place, passing on signals and its exit code. */
async function runApp(app: string, args: readonly string[]): Promise<number> {
  const script = fileURLToPath(new URL(`../../${app}/src/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' })
  const pass = (signal: NodeJS.Signals) => child.kill(signal)
  process.on('SIGTERM', pass).on('SIGINT', pass)
  const [code] = await once(child, 'exit')
  return typeof code === 'number' ? code : 1
}

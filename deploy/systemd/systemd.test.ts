import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ENVIRONMENT_VARIABLES } from '@hyperguild/io/config/environment.ts'
import { describe, expect, inject, onTestFinished, test } from 'vitest'

const FOLDER = 'deploy/systemd'
const UNITS = readdirSync(FOLDER).filter((name) => name.endsWith('.service'))

/** What a unit and its drop-ins say under [Service], in the order they say it. */
function serviceOf(unit: string, instance = ''): [key: string, value: string][] {
  const dropIns = `${FOLDER}/${unit.replace('@.', `@${instance}.`)}.d`
  const files = [
    `${FOLDER}/${unit}`,
    ...(existsSync(dropIns) ? readdirSync(dropIns).map((name) => `${dropIns}/${name}`) : []),
  ]
  return files.flatMap((file) => {
    const section = /^\[Service\]\n([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(
      readFileSync(file, 'utf8'),
    )![1]!
    return [...section.matchAll(/^([A-Z]\w+)=(.*)$/gm)].map(
      ([, key, value]) => [key!, value!.replaceAll('%i', instance)] as [string, string],
    )
  })
}

const valuesOf = (service: [string, string][], key: string) =>
  service.filter(([name]) => name === key).map(([, value]) => value)

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hyperguild-systemd-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Runs what a unit runs, in this checkout instead of /opt/hyperguild and with its files in a folder of the test. */
function startUnit(unit: string, instance: string, own: Record<string, string>): ChildProcess {
  const service = serviceOf(unit, instance)
  const folder = makeFolder()
  for (const credential of valuesOf(service, 'LoadCredential')) {
    const name = credential.split(':')[0]!
    writeFileSync(join(folder, name), name === 'redis_url' ? inject('redisUrl') : 'key')
  }
  const file = readFileSync(`${FOLDER}/hyperguild.env`, 'utf8').matchAll(/^(\w+)=(.*)$/gm)
  const variables = [
    ...[...file].map(([, name, value]) => [name, value]),
    ...valuesOf(service, 'Environment')
      .flatMap((line) => line.split(' '))
      .map((one) => one.split(/=(.*)/s).slice(0, 2)),
  ].map(([name, value]) => [
    name,
    value!.replace('%d', folder).replace('/var/lib/hyperguild', folder),
  ])
  const [command] = valuesOf(service, 'ExecStart')
  const [, ...args] = command!.split(' ')
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...Object.fromEntries(variables), ...own },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function untilOk(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => null)
    if (answer?.ok) return
  }
}

test.each(UNITS)(
  '%s starts a file that exists, sets variables that exist, and knows our exit codes',
  (unit) => {
    const service = serviceOf(unit, 'local')
    const [command] = valuesOf(service, 'ExecStart')
    expect(command).toMatch(/^\/opt\/hyperguild\/node_modules\/\.bin\/node /)
    expect(existsSync(command!.split(' ')[1]!)).toBe(true)
    const names = valuesOf(service, 'Environment')
      .flatMap((line) => line.split(' '))
      .map((one) => one.split('=')[0])
    const known = ENVIRONMENT_VARIABLES.map(({ name }) => name)
    expect(names.filter((name) => !known.includes(name!))).toEqual([])
    expect(valuesOf(service, 'RestartPreventExitStatus')).toEqual(['2'])
  },
)

test('no key stands in the file that everybody on the machine may read', () => {
  expect(readFileSync(`${FOLDER}/hyperguild.env`, 'utf8')).not.toMatch(
    /^\w*(KEY|TOKEN|REDIS_URL)\w*=/m,
  )
})

test('only the cloud worker is handed the cloud key', () => {
  const keysOf = (instance: string) =>
    valuesOf(serviceOf('hyperguild-worker@.service', instance), 'LoadCredential').join()
  expect(keysOf('cloud')).toContain('anthropic')
  expect(keysOf('local')).not.toContain('anthropic')
  expect(valuesOf(serviceOf('hyperguild-gateway.service'), 'LoadCredential').join()).not.toContain(
    'api_key',
  )
})

test('a worker is given the time that it may take to end its steps', () => {
  const service = serviceOf('hyperguild-worker@.service', 'local')
  const drainMs = Number(
    /HYPERGUILD_DRAIN_MS=(\d+)/.exec(valuesOf(service, 'Environment').join(' '))![1],
  )
  const [stopSeconds] = valuesOf(service, 'TimeoutStopSec').map(Number)
  expect(stopSeconds).toBe(drainMs / 1000 + 60)
})

test('the split units make a fleet that is ready, and that stops when told', async () => {
  const [port, local, cloud] = [await freePort(), await freePort(), await freePort()]
  const common = {
    HYPERGUILD_REDIS_PREFIX: `test-${crypto.randomUUID()}`,
    HYPERGUILD_ROOTS: makeFolder(),
    HYPERGUILD_SANDBOX: 'none',
    HYPERGUILD_LOG_LEVEL: 'silent',
    SUPERVISOR_PORT: String(port),
  }
  const units = [
    startUnit('hyperguild-gateway.service', '', common),
    startUnit('hyperguild-worker@.service', 'local', {
      ...common,
      HYPERGUILD_PROBE_PORT: String(local),
    }),
    startUnit('hyperguild-worker@.service', 'cloud', {
      ...common,
      HYPERGUILD_PROBE_PORT: String(cloud),
    }),
  ]
  await Promise.all([port, local, cloud].map((one) => untilOk(`http://127.0.0.1:${one}/readyz`)))
  const exits = units.map((unit) => once(unit, 'exit'))
  for (const unit of units) unit.kill('SIGTERM')
  expect((await Promise.all(exits)).map(([code]) => code)).toEqual([0, 0, 0])
})

describe.skipIf(spawnSync('systemd-analyze', ['--version']).error)('systemd itself', () => {
  test('understands every line of the units', () => {
    const root = makeFolder()
    const units = join(root, 'units')
    cpSync(FOLDER, units, { recursive: true })
    for (const unit of UNITS) {
      const file = join(units, unit)
      // The check wants programs and documents that exist here.
      const text = readFileSync(file, 'utf8')
        .replaceAll('/opt/hyperguild/node_modules/.bin/node', process.execPath)
        .replaceAll('/opt/hyperguild', resolve('.'))
        .replace(/^Documentation=.*\n/m, '')
      writeFileSync(file, text)
    }
    mkdirSync(join(root, 'home'))
    const files = UNITS.map((unit) => join(units, unit.replace('@.', '@local.')))
    const template = join(units, 'hyperguild-worker@.service')
    cpSync(template, join(units, 'hyperguild-worker@local.service'))
    const run = spawnSync(
      'systemd-analyze',
      ['verify', '--recursive-errors=no', '--man=no', ...files],
      {
        encoding: 'utf8',
      },
    )
    const about = run.stderr.split('\n').filter((line) => line.includes(units))
    expect(about).toEqual([])
    writeFileSync(
      template.replace('@.', '@local.'),
      '[Service]\nExecStart=/bin/true\nTimeoutStopSecs=1\n',
    )
    const wrong = spawnSync(
      'systemd-analyze',
      ['verify', '--man=no', join(units, 'hyperguild-worker@local.service')],
      {
        encoding: 'utf8',
      },
    )
    expect(wrong.stderr).toContain('TimeoutStopSecs')
  })
})

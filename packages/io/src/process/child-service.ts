import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { ConfigError } from '@hyperguild/core/errors.ts'
import type { ReadyMessage } from './service.ts'

const READY_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 15_000

export interface ChildService {
  name: string
  pid: number
  url: string | undefined
  /** Resolves when the process is gone, with a sentence on how it ended. */
  gone: Promise<string>
  close(): Promise<void>
}

export interface ChildOptions {
  name: string
  script: string
  args?: readonly string[]
  environment: NodeJS.ProcessEnv
}

/**
 * Starts one of our services as a process of its own and waits until it is ready. It ends when we do.
 * @throws {ConfigError} with what the service said, when it ends before it is ready
 */
export async function startChild(options: ChildOptions): Promise<ChildService> {
  const child = spawn(process.execPath, [options.script, ...(options.args ?? [])], {
    env: options.environment,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-4000)
    process.stderr.write(chunk)
  })
  const gone = once(child, 'exit').then(([code, signal]) =>
    signal
      ? `${options.name} was ended by ${signal}`
      : `${options.name} ended with exit code ${code}`,
  )
  const ready = await untilReady(child, gone, options.name, () => said)
  return {
    name: options.name,
    pid: child.pid!,
    url: ready.url,
    gone,
    close: () => stop(child),
  }
}

async function untilReady(
  child: ChildProcess,
  gone: Promise<string>,
  name: string,
  said: () => string,
): Promise<ReadyMessage> {
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS)
  try {
    const first = await Promise.race([once(child, 'message'), gone])
    if (typeof first !== 'string') return first[0] as ReadyMessage
    const words = said().trim().replaceAll('hyperguild: ', '').split('\n')
    throw new ConfigError(
      words[0] === '' ? [`${first} before it was ready`] : words.map((w) => `${name}: ${w}`),
    )
  } finally {
    clearTimeout(timer)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mustRun } from './run-program.ts'

export interface LocalRegistry {
  /** host:port */
  address: string
  tagsOf(repository: string): Promise<string[]>
  /** A manifest as the registry holds it. */
  manifest(reference: string): Promise<Record<string, unknown>>
  digestOf(reference: string): Promise<string>
  close(): Promise<void>
}

/** Starts Debian's docker-registry on a loopback port, with everything in the folder. */
export async function startRegistry(folder: string): Promise<LocalRegistry> {
  const address = `127.0.0.1:${await freePort()}`
  await mkdir(folder, { recursive: true })
  const settings = {
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: address },
  }
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(settings))
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await untilListening(child.stderr)
  const skopeo = (...args: string[]) => mustRun('skopeo', args)
  return {
    address,
    tagsOf: async (repository) =>
      JSON.parse(
        await skopeo('list-tags', '--tls-verify=false', `docker://${address}/${repository}`),
      ).Tags,
    manifest: async (reference) =>
      JSON.parse(
        await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${address}/${reference}`),
      ),
    digestOf: async (reference) =>
      skopeo(
        'inspect',
        '--no-tags',
        '--tls-verify=false',
        '--format',
        '{{.Digest}}',
        `docker://${address}/${reference}`,
      ),
    close: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function untilListening(lines: NodeJS.ReadableStream): Promise<void> {
  let said = ''
  for await (const line of createInterface({ input: lines })) {
    said += `${line}\n`
    if (!line.includes('listening on')) continue
    lines.resume()
    return
  }
  throw new Error(`docker-registry did not start:\n${said}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

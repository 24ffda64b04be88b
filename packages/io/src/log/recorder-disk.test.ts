import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { advance } from '@hyperguild/core/advance.ts'
import { aJob, failed } from '@hyperguild/core/job.fixture.ts'
import type { SessionEntry } from '@hyperguild/core/result.ts'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { keysFor } from '../queue/keys.ts'
import { connectRedis } from '../queue/redis.ts'
import { startRecorder } from './recorder.ts'
import { readRecorderState } from './recorder-state.ts'

/** The recorder tries again after seconds, not at once. */
vi.setConfig({ testTimeout: 40_000 })

function entryOf(jobId: string, sessionId: string): SessionEntry {
  const job = aJob({ id: jobId, sessionId, chain: ['ollama/small'] })
  return advance(job, [failed('ollama/small', 'network')], null, 6000).end!.entry
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-disk-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A recorder that writes under a folder, what it is to write, and how it says it fares. */
async function openLog(sessionsDir: string) {
  const connect = () => {
    const redis = connectRedis(inject('redisUrl'), 'recorder-test', 'wait')
    onTestFinished(() => redis.disconnect())
    return redis
  }
  const redis = connect()
  const keys = keysFor(`test-${crypto.randomUUID()}`)
  return {
    add: (jobId: string, session: string) =>
      redis.xadd(keys.entries, '*', 'entry', JSON.stringify(entryOf(jobId, session))),
    start() {
      const wires = { redis, blocking: connect(), keys, sessionsDir, recorderId: 'r1' }
      const recorder = startRecorder({ ...wires, onError: () => {}, keepNotes: async () => {} })
      onTestFinished(() => recorder.close())
    },
    becomes: (state: object) =>
      vi.waitFor(async () => expect(await readRecorderState(redis, keys)).toMatchObject(state), {
        timeout: 20_000,
      }),
    jobsIn: async (session: string) =>
      (await readFile(join(sessionsDir, `${session}.jsonl`), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as SessionEntry).job_id),
  }
}

const FINE = { waiting: 0, problem: null }
const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => `job-${index + 1}`)

test('where the folder of the log cannot be made, entries wait until it can, and everybody can read why', async () => {
  const folder = await makeFolder()
  const inTheWay = join(folder, 'brain')
  await writeFile(inTheWay, '')
  const log = await openLog(join(inTheWay, 'sessions'))
  log.start()
  await log.add('job-1', 'monday')
  await log.becomes({ waiting: 1, problem: { code: expect.stringMatching(/^E[A-Z]+$/) } })
  await log.add('job-2', 'monday')
  await rm(inTheWay)
  await log.becomes(FINE)
  expect(await log.jobsIn('monday')).toEqual(['job-1', 'job-2'])
})

test('a session that stays unwritable holds up no other, and keeps its order', async () => {
  const folder = await makeFolder()
  await mkdir(join(folder, 'monday.jsonl'))
  const log = await openLog(folder)
  for (const id of idsUpTo(250)) await log.add(id, 'monday')
  log.start()
  await log.becomes({ waiting: 250, problem: { code: 'EISDIR' } })
  await log.add('job-251', 'monday')
  await log.add('job-1', 'tuesday')
  await log.becomes({ waiting: 251 })
  expect(await log.jobsIn('tuesday')).toEqual(['job-1'])

  await rm(join(folder, 'monday.jsonl'), { recursive: true })
  await log.becomes(FINE)
  expect(await log.jobsIn('monday')).toEqual(idsUpTo(251))
})

test('a log that may only be read is written once it may be written again', async () => {
  const disk = await mountDisk('size=1m')
  await setReadOnly(disk, true)
  const log = await openLog(disk.path)
  log.start()
  await log.add('job-1', 'monday')
  await log.becomes({ waiting: 1, problem: { code: disk.isMounted ? 'EROFS' : 'EACCES' } })
  await setReadOnly(disk, false)
  await log.becomes(FINE)
  expect(await log.jobsIn('monday')).toEqual(['job-1'])
})

test.runIf(canMount())(
  'a full disk costs no entry and tears no line: what did not fit is written once there is room',
  async () => {
    const disk = await mountDisk('size=64k')
    const filler = join(disk.path, 'filler')
    await writeFile(filler, 'x'.repeat(48 * 1024))
    const log = await openLog(disk.path)
    for (const id of idsUpTo(100)) await log.add(id, 'monday')
    log.start()
    await log.becomes({ waiting: 100, problem: { code: 'ENOSPC' } })
    await rm(filler)
    execFileSync('mount', ['-o', 'remount,size=4m', disk.path])
    await log.becomes(FINE)
    expect(await log.jobsIn('monday')).toEqual(idsUpTo(100))
  },
)

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'hyperguild-mount-'))
  try {
    mountAt(folder, 'size=64k')
    unmount(folder)
    return true
  } catch {
    return false
  } finally {
    rmdirSync(folder)
  }
}

function mountAt(path: string, options: string): void {
  const args = ['-t', 'tmpfs', '-o', options, 'tmpfs', path]
  execFileSync('mount', args, { stdio: 'ignore' })
}

function unmount(path: string): void {
  execFileSync('umount', ['--lazy', path])
}

interface Disk {
  path: string
  isMounted: boolean
}

/** A small disk of its own; without the right to mount one, a plain folder. */
async function mountDisk(options: string): Promise<Disk> {
  const path = await makeFolder()
  if (!canMount()) return { path, isMounted: false }
  mountAt(path, options)
  onTestFinished(() => unmount(path))
  return { path, isMounted: true }
}

async function setReadOnly({ path, isMounted }: Disk, isReadOnly: boolean): Promise<void> {
  if (isMounted) execFileSync('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, path])
  else await chmod(path, isReadOnly ? 0o555 : 0o755)
}

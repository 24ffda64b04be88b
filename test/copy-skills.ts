import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const CONFIG = new URL('../config', import.meta.url).pathname

/** A copy of config/ in which skills have these limits. Returns its path; gone when the test ends. */
export async function copySkills(
  limits: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperguild-config-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  cpSync(CONFIG, folder, { recursive: true })
  for (const [skill, values] of Object.entries(limits)) {
    const path = join(folder, 'skills', `${skill}.md`)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(/^kind:/m, `limits: ${JSON.stringify(values)}\n$&`))
  }
  return folder
}

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withTables } from './readme-tables.ts'

const README = fileURLToPath(new URL('../README.md', import.meta.url))

const before = readFileSync(README, 'utf8')
const after = withTables(before)
if (after !== before) writeFileSync(README, after)
process.stdout.write(after === before ? 'README.md was up to date.\n' : 'README.md is updated.\n')

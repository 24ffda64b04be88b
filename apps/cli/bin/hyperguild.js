#!/usr/bin/env node
// Plain JavaScript, so that an old Node can at least say what it needs.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const ownNode = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(main)
} else if (existsSync(ownNode)) {
  const { status } = spawnSync(ownNode, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(status ?? 1)
} else {
  process.stderr.write(
    `hyperguild: this is Node ${process.versions.node}, and it needs 24 or newer; run "npm ci" in its folder, which brings one\n`,
  )
  process.exit(2)
}

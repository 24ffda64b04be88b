import { readdirSync, readlinkSync } from 'node:fs'

/**
 * Shows a directory of installed packages at another place, writable but for this run only: tools such as Vite put
 * temporary files into node_modules and fail when they cannot. The entries become links into the real directory,
 * which is mounted read-only under its own name; entries that are links themselves (workspaces, pnpm) keep their
 * text, so that a link to `../packages/core` leads to the workspace's own copy. Caches of tools start empty.
 */
export function overlayArguments(from: string, at: string): string[] {
  return ['--ro-bind', from, from, '--tmpfs', at, ...linkArguments(from, at)]
}

function linkArguments(from: string, at: string): string[] {
  const entries = readdirSync(from, { withFileTypes: true })
  return entries.flatMap((entry) => {
    if (entry.isDirectory() && isCache(entry.name)) return []
    const source = `${from}/${entry.name}`
    const target = `${at}/${entry.name}`
    if (entry.isSymbolicLink()) return ['--symlink', readlinkSync(source), target]
    if (entry.name.startsWith('@')) return ['--dir', target, ...linkArguments(source, target)]
    return ['--symlink', source, target]
  })
}

function isCache(name: string): boolean {
  return name.startsWith('.') && name !== '.bin' && name !== '.pnpm'
}

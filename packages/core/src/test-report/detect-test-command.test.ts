import { describe, expect, it } from 'vitest'
import { detectTestCommand } from './detect-test-command.ts'

const detect = (files: Record<string, string>) =>
  detectTestCommand(Object.keys(files), (path) => files[path] ?? null)

describe('detectTestCommand', () => {
  it.each([
    ['npm test', { 'package.json': '{"scripts":{"test":"anything"}}', 'vitest.config.ts': '' }],
    ['npx vitest run', { 'package.json': '{"devDependencies":{"vitest":"1"}}' }],
    ['npx vitest run', { 'package.json': '{}', 'vitest.config.mts': '' }],
    ['npx jest', { 'package.json': '{"devDependencies":{"jest":"1"}}' }],
    ['node --test', { 'package.json': '{}', 'src/a.test.mjs': '' }],
    ['node --test', { 'test/a.js': '' }],
    ['go test ./...', { 'go.mod': 'module x' }],
    ['cargo test --no-fail-fast', { 'Cargo.toml': '[package]' }],
    ['python3 -m pytest', { 'pyproject.toml': '[tool.pytest.ini_options]' }],
    ['python3 -m pytest', { 'tests/test_a.py': '' }],
  ])('finds `%s`', (command, files: Record<string, string>) => {
    expect(detect(files)).toBe(command)
  })

  it('does not take the script that npm init writes, or a broken package.json, for a test command', () => {
    const script = 'echo \\"Error: no test specified\\" && exit 1'
    expect(detect({ 'package.json': `{"scripts":{"test":"${script}"}}` })).toBeNull()
    expect(detect({ 'package.json': '{"scripts":{"test":' })).toBeNull()
    expect(detect({ 'README.md': '', 'pyproject.toml': '[project]' })).toBeNull()
  })
})

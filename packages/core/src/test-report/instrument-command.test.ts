import { describe, expect, it } from 'vitest'
import { instrumentCommand } from './instrument-command.ts'

const SCRIPTS = {
  test: 'vitest run',
  unit: 'node --test',
  both: 'tsc && vitest run',
  own: 'node --test --test-reporter=dot',
}
const instrument = (command: string) => instrumentCommand(command, SCRIPTS, '/r.mjs')

describe('instrumentCommand', () => {
  it.each([
    ['node --test', '--test-reporter=/r.mjs'],
    ['node --import ./x.mjs --test test/', '--test-reporter=/r.mjs'],
    ['npm run unit', '--test-reporter=/r.mjs'],
    ['vitest run a.test.ts', 'vitest run --reporter=default --reporter=json'],
    ['npx vitest', 'npx vitest --reporter=default'],
    ['./node_modules/.bin/jest -t x', './node_modules/.bin/jest --json --outputFile='],
    ['npm test', 'npm test -- --reporter=default'],
    ['pnpm test', 'pnpm test --reporter=default'],
    ['python3 -m pytest tests', 'PYTEST_ADDOPTS='],
    ['cd api && pytest', '--junitxml=$TMPDIR/'],
    ['go test ./...', 'go test -v ./...'],
  ])('makes `%s` report reliably', (command, expected) => {
    expect(instrument(command)).toContain(expected)
  })

  it.each([
    'cargo test',
    'make test',
    'npm run both',
    'npm run own',
    'npm run unknown',
    'node --test --test-reporter=tap',
    'vitest run --reporter=verbose',
    'go test -json ./...',
    'node test.js',
    './run-vitest-tests.sh',
    'cat pytest.ini',
  ])('leaves `%s` as it is', (command) => {
    expect(instrument(command)).toBe(command)
  })

  it('keeps quotes of the command', () => {
    expect(instrument(`vitest run -t 'a b'`)).toContain(`-t '\\''a b'\\'''`)
  })
})

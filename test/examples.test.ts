import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

// The demo and the guides rely on these facts of the sample project (examples/README.md).
const run = promisify(execFile)
const shop = fileURLToPath(new URL('../examples/shop', import.meta.url))

async function checkout(...words: string[]): Promise<{ output: string; failed: boolean }> {
  const result = run(process.execPath, ['src/main.js', ...words], { cwd: shop })
  return result.then(
    ({ stdout }) => ({ output: stdout, failed: false }),
    (error: { stderr: string }) => ({ output: error.stderr, failed: true }),
  )
}

test('the tests of the sample project pass', async () => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap'], { cwd: shop })
  expect(stdout).toMatch(/^# pass 16$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
})

test('the review case is real: ten articles get no bulk discount and twenty get it twice', async () => {
  expect((await checkout('PAD-11=10')).output).toMatch(/^Total EUR +32\.00$/m)
  expect((await checkout('PAD-11=20')).output).toMatch(/^Total EUR +51\.20$/m)
})

test('the debug case is real: its command fails with the pasted trace', async () => {
  const pasted = await readFile(`${shop}/errors/checkout-error.txt`, 'utf8')
  const now = await checkout('mug-01=2')
  expect(now.failed).toBe(true)
  const places = pasted.match(/src\/[a-z]+\.js:\d+:\d+/g) ?? []
  expect(places.length).toBeGreaterThan(3)
  for (const place of places) expect(now.output).toContain(place)
})

test('the lines that the guide names hold what it says', async () => {
  const lineOf = async (file: string, line: number) =>
    (await readFile(`${shop}/${file}`, 'utf8')).split('\n')[line - 1]
  expect(await lineOf('src/prices.js', 15)).toContain('<= BULK_QUANTITY')
  expect(await lineOf('src/discounts.js', 25)).toContain('- savingsCents(')
  expect(await lineOf('src/cart.js', 13)).toContain('isKnown(number)')
  expect(await lineOf('src/prices.js', 25)).toContain('subtotalCents(cart)')
})

// Runs inside the sandbox, in whatever Node runs the tests: one JSON line per event, read by
// packages/core/src/test-report/node-events.ts. TAP would not tell the file of a passing test.
const NAMES = {
  'test:start': 'start',
  'test:pass': 'pass',
  'test:fail': 'fail',
  'test:stderr': 'stderr',
}

// biome-ignore lint/style/noDefaultExport: node:test wants the reporter as default export
export default async function* report(source) {
  for await (const { type, data } of source) {
    const event = NAMES[type]
    if (event !== undefined) yield `${JSON.stringify({ event, ...describe(data) })}\n`
  }
  yield '{"event":"end"}\n'
}

function describe({ name, nesting, file, details, skip, todo, message }) {
  const error = details?.error
  return {
    name,
    nesting,
    file,
    suite: details?.type === 'suite',
    skipped: skip !== undefined || todo !== undefined,
    message: String(message ?? error?.cause?.message ?? error?.cause ?? error?.message ?? '').slice(
      0,
      2000,
    ),
  }
}

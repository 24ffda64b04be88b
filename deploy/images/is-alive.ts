// The health command of both images: node deploy/images/is-alive.ts http://127.0.0.1:3200/livez
const TIMEOUT_MS = 3000

const answer = await fetch(process.argv[2]!, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
  (error: Error) => error,
)
if (answer instanceof Error || !answer.ok) {
  process.stderr.write(`${answer instanceof Error ? answer.message : await answer.text()}\n`)
  process.exit(1)
}

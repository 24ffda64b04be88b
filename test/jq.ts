import { readFileSync } from 'node:fs'
import { raw } from 'jq-wasm'

// The real jq, as WebAssembly, behind the part of its command line that the tests use: a flag, a filter, files.
const [flag, filter, ...files] = process.argv.slice(2)
const input = files.map((file) => readFileSync(file, 'utf8')).join('')
const output = await raw(input, filter!, [flag!])
if (output !== '') console.log(output)

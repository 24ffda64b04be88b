import { parseArgs } from 'node:util'

// Does what the guides ask of curl, on machines that have none: curl -s -i -N -X METHOD -H 'Name: value' -d DATA URL

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    include: { type: 'boolean', short: 'i' },
    'no-buffer': { type: 'boolean', short: 'N' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
  },
})
const headers = values.header.map((line): [string, string] => {
  const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line)!
  return [name!, value!]
})
const response = await fetch(positionals[0]!, {
  method: values.request ?? (values.data === undefined ? 'GET' : 'POST'),
  headers,
  ...(values.data === undefined ? {} : { body: values.data }),
})
if (values.include) {
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`)
  process.stdout.write(`HTTP/1.1 ${response.status}\r\n${lines.join('')}\r\n`)
}
process.stdout.write(await response.text())

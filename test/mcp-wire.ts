/** The JSON-RPC of protocol 2026-07-28, written out by hand, as a client that no SDK helps. */

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '0' },
}
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } }

/** Whatever came over the wire; the tests look into it. */
export type Message = ReturnType<typeof JSON.parse>

export interface WireOptions {
  /** Whether the client declares that it follows tasks. */
  tasks?: boolean
  headers?: Record<string, string>
  signal?: AbortSignal
  path?: string
}

/** Sends one request; resolves with the response, its body unread. */
export function send(
  url: string,
  method: string,
  params: Record<string, unknown> = {},
  { tasks = false, headers = {}, signal, path = '/mcp' }: WireOptions = {},
): Promise<Response> {
  const name = params.taskId ?? params.name ?? params.uri
  const capabilities = { 'io.modelcontextprotocol/clientCapabilities': tasks ? TASKS : {} }
  const meta = { ...META, ...capabilities, ...(params._meta as object | undefined) }
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': String(name) }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
    ...(signal ? { signal } : {}),
  })
}

/** Sends one request and reads its answer: the result, or `{ error }`. */
export async function ask(
  url: string,
  method: string,
  params: Record<string, unknown> = {},
  options: WireOptions = {},
): Promise<Message> {
  const response = await send(url, method, params, options)
  const text = await response.text()
  const last = text.startsWith('{')
    ? text
    : [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data!).at(-1)!
  const message: Message = JSON.parse(last)
  return message.result ?? { error: message.error, status: response.status }
}

export function callTool(
  url: string,
  name: string,
  input: Record<string, unknown>,
  options: WireOptions = {},
): Promise<Message> {
  return ask(url, 'tools/call', { name, arguments: input }, options)
}

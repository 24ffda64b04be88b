import {
  inputRequired,
  type McpServer,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server'
import * as z from 'zod'
import { PNG } from './mcp-fixture.ts'
import { elicit, textFrom } from './mcp-fixture-rounds.ts'

/** The resources, prompts and deprecated methods that scenarios ask for. */
export function installLists(mcp: McpServer): void {
  installResources(mcp)
  installPrompts(mcp)
  mcp.server.registerCapabilities({ logging: {} })
  mcp.server.setRequestHandler('logging/setLevel', () => ({}))
  mcp.server.setRequestHandler('resources/subscribe', () => ({}))
  mcp.server.setRequestHandler('resources/unsubscribe', () => ({}))
}

function installResources(mcp: McpServer): void {
  const texts = {
    'test://static-text': 'This is the content of the static text resource.',
    'test://watched-resource': 'Watched resource content',
  }
  for (const [uri, text] of Object.entries(texts)) {
    const contents = [{ uri, mimeType: 'text/plain', text }]
    mcp.registerResource(uri, uri, { mimeType: 'text/plain' }, () => ({ contents }))
  }
  const binary = 'test://static-binary'
  const contents = [{ uri: binary, mimeType: 'image/png', blob: PNG }]
  mcp.registerResource(binary, binary, { mimeType: 'image/png' }, () => ({ contents }))
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  const type = { mimeType: 'application/json' }
  mcp.registerResource('template', template, type, (uri, { id }) => ({
    contents: [
      { uri: uri.href, ...type, text: JSON.stringify({ id, data: `Data for ID: ${id}` }) },
    ],
  }))
}

function installPrompts(mcp: McpServer): void {
  const described = { description: 'A fixture of the conformance suite' }
  mcp.registerPrompt('test_simple_prompt', described, () =>
    user({ type: 'text', text: 'This is a simple prompt for testing.' }),
  )
  const two = z.object({ arg1: z.string(), arg2: z.string() })
  mcp.registerPrompt(
    'test_prompt_with_arguments',
    { ...described, argsSchema: two },
    ({ arg1, arg2 }) =>
      user({ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
  )
  const one = z.object({ resourceUri: z.string() })
  mcp.registerPrompt(
    'test_prompt_with_embedded_resource',
    { ...described, argsSchema: one },
    ({ resourceUri }) => {
      const text = 'Embedded resource content for testing.'
      return user(
        { type: 'resource', resource: { uri: resourceUri, mimeType: 'text/plain', text } },
        { type: 'text', text: 'Please process the embedded resource above.' },
      )
    },
  )
  mcp.registerPrompt('test_prompt_with_image', described, () =>
    user(
      { type: 'image', data: PNG, mimeType: 'image/png' },
      { type: 'text', text: 'Please analyze the image above.' },
    ),
  )
  mcp.registerPrompt('test_input_required_result_prompt', described, (given) => {
    // Without a schema for arguments the context is the only argument, which the SDK's types do not say.
    const context = textFrom(given as unknown as ServerContext, 'user_context', 'context')
    if (context !== undefined) return user({ type: 'text', text: `Use this context: ${context}` })
    const user_context = elicit('What context should the prompt use?', 'context')
    return inputRequired({ inputRequests: { user_context } })
  })
}

type Content =
  | { type: 'text'; text: string }
  | { type: 'image'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string; text: string } }

function user(...contents: Content[]) {
  return { messages: contents.map((content) => ({ role: 'user' as const, content })) }
}

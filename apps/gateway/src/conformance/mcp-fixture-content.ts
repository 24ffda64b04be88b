import { setTimeout as pause } from 'node:timers/promises'
import type { ServerContext } from '@modelcontextprotocol/server'
import type { ToolEntry } from '../mcp-session.ts'
import { fixture, PNG, said, WAV } from './mcp-fixture.ts'

const image = { type: 'image' as const, data: PNG, mimeType: 'image/png' }

/** Tools for each kind of content, and for what can be sent before an answer. */
export const CONTENT_TOOLS: readonly ToolEntry[] = [
  fixture('test_simple_text', () => said('This is a simple text response for testing.')),
  fixture('test_image_content', () => ({ content: [image] })),
  fixture('test_audio_content', () => ({
    content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  })),
  fixture('test_embedded_resource', () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  })),
  fixture('test_multiple_content_types', () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: JSON.stringify({ test: 'data', value: 123 }),
        },
      },
    ],
  })),
  fixture('test_error_handling', () => ({
    ...said('This tool intentionally returns an error for testing'),
    isError: true,
  })),
  fixture('test_tool_with_progress', async (ctx) => {
    for (const progress of [0, 50, 100]) await report(ctx, progress)
    return said('done')
  }),
  fixture('test_tool_with_logging', async (ctx) => {
    for (const data of [
      'Tool execution started',
      'Tool processing data',
      'Tool execution completed',
    ])
      await ctx.mcpReq.notify({
        method: 'notifications/message',
        params: { level: 'info', data },
      })
    return said('logged')
  }),
  fixture('test_logging_tool', async (ctx) => {
    await ctx.mcpReq.log('info', 'only for those who asked for logs')
    return said('logged, if it was asked for')
  }),
  fixture('test_streaming_elicitation', () => said('a stream with nothing but its answer')),
  fixture('test_x_mcp_header', (_, { region }) => said(`region=${region ?? ''}`), {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      level: { type: 'integer' },
    },
  }),
  fixture(
    'json_schema_2020_12_tool',
    (_, input) => said(JSON.stringify(input)),
    JSON.parse(`{
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "type": "object",
      "$defs": {
        "address": {
          "$anchor": "addressDef",
          "type": "object",
          "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
        }
      },
      "properties": {
        "name": { "type": "string" },
        "address": { "$ref": "#/$defs/address" },
        "contactMethod": { "type": "string", "enum": ["phone", "email"] },
        "phone": { "type": "string" },
        "email": { "type": "string" }
      },
      "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
      "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
      "then": { "required": ["phone"] },
      "else": { "required": ["email"] },
      "additionalProperties": false
    }`),
  ),
]

async function report({ mcpReq }: ServerContext, progress: number): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return
  const message = `Completed step ${progress} of 100`
  const params = { progressToken, progress, total: 100, message }
  await mcpReq.notify({ method: 'notifications/progress', params })
  // The suite tells steps apart by when they came.
  await pause(50)
}

import type { ToolSpec } from '../chat.ts'

/**
 * How a model wrote its calls, which is how results are written back to it. `native`: the protocol's own messages.
 * The others are text. `hermes`: `<tool_call>{json}</tool_call>`. `qwen`: `<function=…><parameter=…>`. `fenced`: a
 * JSON object in a code block or on its own.
 */
export type Dialect = 'native' | 'hermes' | 'qwen' | 'fenced'

/** How to work in a loop, for the system text; the same for every skill. */
export const LOOP_RULES =
  'You work in steps with tools; paths are relative to the project root. Look only at what the task does not already ' +
  'show. When done, call finish once: its arguments are your whole answer. Saying that you are done does nothing.'

/** The tool list for models whose server knows no tools: one line each, in the format most open models were trained on. */
export function toolsText(tools: readonly ToolSpec[]): string {
  return [
    'To use a tool, write a call like this and then stop; the result comes in the next message:',
    '<tool_call>\n{"name": "tool", "arguments": {"argument": "value"}}\n</tool_call>',
    'Tools:',
    ...tools.map((tool) => `- ${tool.name} ${argumentsText(tool)}: ${tool.description}`),
  ].join('\n')
}

/** A call as the model should have written it, with types in the place of values. */
export function exampleCall(tool: ToolSpec, dialect: Dialect): string {
  const args = argumentsText(tool)
  switch (dialect) {
    case 'native':
      return `${tool.name} with ${args}`
    case 'hermes':
      return `<tool_call>\n{"name": "${tool.name}", "arguments": ${args}}\n</tool_call>`
    case 'qwen': {
      const parameters = propertiesOf(tool).map(([name]) => `<parameter=${name}>…</parameter>`)
      return `<function=${tool.name}>${parameters.join('')}</function>`
    }
    case 'fenced':
      return `\`\`\`json\n{"name": "${tool.name}", "arguments": ${args}}\n\`\`\``
  }
}

/** A result in the markup of the call it answers. Not for `native`, whose results are messages of their own. */
export function resultText(dialect: Dialect, toolName: string, text: string): string {
  return dialect === 'fenced'
    ? `Result of ${toolName}:\n\`\`\`\n${text}\n\`\`\``
    : `<tool_response>\n${toolName}: ${text}\n</tool_response>`
}

/** `{"path": string, "first_line"?: integer}`; nested shapes are given as JSON Schema. */
function argumentsText(tool: ToolSpec): string {
  const required = tool.input.required
  const parts = propertiesOf(tool).map(([name, schema]) => {
    const isRequired = Array.isArray(required) && required.includes(name)
    return `"${name}"${isRequired ? '' : '?'}: ${typeText(schema)}`
  })
  return `{${parts.join(', ')}}`
}

function typeText(schema: unknown): string {
  const { type, items, properties, enum: values } = schema as Record<string, unknown>
  const isPlain = typeof type === 'string' && !items && !properties && !values
  return isPlain ? type : JSON.stringify(schema)
}

function propertiesOf(tool: ToolSpec): [string, unknown][] {
  return Object.entries((tool.input.properties ?? {}) as Record<string, unknown>)
}

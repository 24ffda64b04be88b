import { withoutThinking } from '../answer.ts'
import type { ChatReply, ToolCall, ToolSpec } from '../chat.ts'
import { validate, zodFrom } from '../json-schema.ts'
import { isObject, type JsonObject, looseObject, type ParseLoosely } from './loose-json.ts'
import { type Dialect, exampleCall } from './tool-text.ts'
import { callsWrittenIn } from './written-calls.ts'

/** A call to perform, or, with a `problem`, to answer with that sentence: it tells the model what to send instead. */
export interface ParsedCall {
  name: string
  input: Readonly<JsonObject>
  problem: string | null
}

export interface ParsedCalls {
  dialect: Dialect
  calls: readonly ParsedCall[]
}

/** The tool calls of a reply, native ones first, else those written into its text; each checked against its tool. */
export function toolCallsIn(
  reply: Pick<ChatReply, 'text' | 'toolCalls'>,
  offered: readonly ToolSpec[],
  parseLoosely: ParseLoosely,
): ParsedCalls {
  const { dialect, calls } =
    reply.toolCalls.length > 0
      ? { dialect: 'native' as const, calls: reply.toolCalls }
      : callsWrittenIn(withoutThinking(reply.text), offered, parseLoosely)
  return {
    dialect,
    calls: calls.map((call) => checkedCall(call, offered, dialect, parseLoosely)),
  }
}

function checkedCall(
  call: ToolCall,
  offered: readonly ToolSpec[],
  dialect: Dialect,
  parseLoosely: ParseLoosely,
): ParsedCall {
  const refused = (problem: string): ParsedCall => ({ name: call.name, input: {}, problem })
  const tool = offered.find((one) => one.name === call.name)
  if (!tool) return refused(problemWithoutTool(call, offered, dialect))
  const again = `send:\n${exampleCall(tool, dialect)}`
  const input = typeof call.input === 'string' ? looseObject(call.input, parseLoosely) : call.input
  if (!isObject(input)) {
    return refused(`the arguments of ${tool.name} are not one JSON object; ${again}`)
  }
  const validation = validate(zodFrom(tool.input), withTypesOf(tool, input, parseLoosely))
  if (!validation.ok) return refused(`${tool.name}: ${validation.problems.join('; ')}; ${again}`)
  return { name: call.name, input: validation.value as JsonObject, problem: null }
}

function problemWithoutTool(
  call: ToolCall,
  offered: readonly ToolSpec[],
  dialect: Dialect,
): string {
  const names = offered.map((tool) => tool.name).join(', ')
  if (call.name !== '') return `there is no tool ${call.name}; the tools are: ${names}`
  const example = offered[0] ? `, for example:\n${exampleCall(offered[0], dialect)}` : ''
  return `the call could not be read; send its name and arguments as JSON${example}`
}

/** Text formats know only strings, and models quote numbers: a value is read as the type its property asks for. */
function withTypesOf(tool: ToolSpec, input: JsonObject, parseLoosely: ParseLoosely): JsonObject {
  const properties = (tool.input.properties ?? {}) as Record<string, { type?: unknown }>
  const entries = Object.entries(input).flatMap(([name, value]) => {
    const type = properties[name]?.type
    if (typeof type !== 'string') return [[name, value] as const]
    if (value === null && type !== 'null') return []
    if (typeof value === 'number' && type === 'string') return [[name, String(value)] as const]
    const isQuoted = typeof value === 'string' && type !== 'string'
    return [[name, isQuoted ? (parseLoosely(value.trim()) ?? value) : value] as const]
  })
  return Object.fromEntries(entries)
}

import { addUsage, NO_USAGE, type Usage } from '@hyperguild/core/chat.ts'
import * as z from 'zod'

// What `claude -p --output-format stream-json` prints: one JSON object per line. Only what is used here is checked.

const count = z.number().nonnegative().nullish()
const usageSchema = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  cache_creation: z.object({ ephemeral_1h_input_tokens: count }).nullish(),
})
type ApiUsage = z.infer<typeof usageSchema>

const envelopeSchema = z.object({
  type: z.literal('result'),
  subtype: z.string(),
  is_error: z.boolean(),
  terminal_reason: z.string().nullish(),
  stop_reason: z.string().nullish(),
  result: z.string().nullish(),
  structured_output: z.unknown().optional(),
  api_error_status: z.number().nullish(),
  usage: usageSchema,
})
/** How a run ended, in the program's words. */
export type Envelope = z.infer<typeof envelopeSchema>

const lineSchema = z.union([
  envelopeSchema,
  z.object({
    type: z.literal('system'),
    subtype: z.literal('init'),
    claude_code_version: z.string().nullish(),
    tools: z.array(z.string()),
    mcp_servers: z.array(z.object({ name: z.string(), status: z.string() })),
  }),
  z.object({
    type: z.literal('system'),
    subtype: z.literal('status'),
    status: z.literal('requesting'),
  }),
  z.object({
    type: z.literal('system'),
    subtype: z.literal('api_retry'),
    retry_delay_ms: z.number(),
  }),
  z.object({
    type: z.literal('stream_event'),
    event: z.union([
      z.object({ type: z.literal('message_start'), message: z.object({ usage: usageSchema }) }),
      z.object({ type: z.literal('message_delta'), usage: usageSchema }),
    ]),
  }),
])
type Line = z.infer<typeof lineSchema>
export type Opening = Extract<Line, { subtype: 'init' }>

export interface FinishedCall {
  usage: Usage
  durationMs: number
}

/** What a run has told so far. */
export interface RunRecord {
  opening: Opening | null
  envelope: Envelope | null
  /** Calls of the API that were answered whole. */
  calls: FinishedCall[]
  /** Whether one has been made and not answered. */
  isCalling: boolean
  /** The last wait between two tries of a call, by the server's wish where it had one. */
  retryDelayMs: number | null
}

/** Reads a run line by line. What is no JSON, or of no interest, is passed over. */
export function createRunReader(now: () => number): {
  record: RunRecord
  read(line: string): Line | null
} {
  const record: RunRecord = {
    opening: null,
    envelope: null,
    calls: [],
    isCalling: false,
    retryDelayMs: null,
  }
  let calledAtMs = now()
  let usage: ApiUsage = {}

  function take(line: Line): void {
    if (line.type === 'result') {
      record.envelope = line
      record.isCalling = record.isCalling && line.subtype !== 'success'
    } else if (line.type === 'stream_event') {
      takeEvent(line.event)
    } else if (line.subtype === 'init') record.opening = line
    else if (line.subtype === 'api_retry') record.retryDelayMs = line.retry_delay_ms
    else {
      record.isCalling = true
      calledAtMs = now()
    }
  }

  function takeEvent(event: Extract<Line, { type: 'stream_event' }>['event']): void {
    if (event.type === 'message_start') {
      usage = event.message.usage
      return
    }
    record.calls.push({
      usage: usageFrom({ ...usage, ...withoutGaps(event.usage) }),
      durationMs: now() - calledAtMs,
    })
    record.isCalling = false
  }

  return {
    record,
    read(text) {
      const line = parseLine(text)
      if (line) take(line)
      return line
    },
  }
}

/**
 * Each call as it is to be priced. The envelope has the last word: where it tells of more than what was seen, its sum
 * is taken. A call that broke off has a usage that nobody knows.
 */
export function callsOf({ calls, envelope, isCalling }: RunRecord, durationMs: number) {
  const total = envelope ? usageFrom(envelope.usage) : NO_USAGE
  const seen = calls.reduce((sum, call) => addUsage(sum, call.usage), NO_USAGE)
  const isWhole = tokensIn(total) <= tokensIn(seen)
  const broken = isCalling ? [{ usage: NO_USAGE, durationMs: 0 }] : []
  return [...(isWhole ? calls : [{ usage: total, durationMs }]), ...broken]
}

function tokensIn({ inputTokens, outputTokens }: Usage): number {
  return (inputTokens ?? 0) + (outputTokens ?? 0)
}

function usageFrom(usage: ApiUsage): Usage {
  const cacheReadTokens = usage.cache_read_input_tokens ?? 0
  const cacheWriteTokens = usage.cache_creation_input_tokens ?? 0
  const writtenFor1h = usage.cache_creation?.ephemeral_1h_input_tokens ?? 0
  return {
    inputTokens: (usage.input_tokens ?? 0) + cacheReadTokens + cacheWriteTokens,
    outputTokens: usage.output_tokens ?? 0,
    cacheReadTokens,
    cacheWriteTokens,
    ...(writtenFor1h > 0 ? { cacheWrite1hTokens: writtenFor1h } : {}),
  }
}

function withoutGaps(usage: ApiUsage): ApiUsage {
  return Object.fromEntries(Object.entries(usage).filter(([, tokens]) => tokens != null))
}

function parseLine(text: string): Line | null {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

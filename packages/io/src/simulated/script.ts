import { readFile } from 'node:fs/promises'
import { serverNameOf } from '@hyperguild/core/model.ts'
import * as z from 'zod'
import { parseYaml } from '../config/parse-yaml.ts'

const REPLIES = ['answer', 'text', 'turns', 'error', 'hang', 'drop'] as const

const milliseconds = z.number().int().nonnegative()
const object = z.record(z.string(), z.unknown())
/** What a tool is called with; a string goes out as it stands, whether it is JSON or not. */
const input = z.union([object, z.string()])
const callSchema = z.strictObject({ tool: z.string().min(1), input: input.default({}) })

const turnSchema = z
  .strictObject({
    tool: z.string().min(1).optional(),
    input: input.optional(),
    calls: z.array(callSchema).min(1).optional(),
    text: z.string().optional(),
    answer: object.optional(),
  })
  .refine((turn) => turn.tool ?? turn.calls ?? turn.text ?? turn.answer, {
    error: 'a turn needs tool, calls, text or answer',
  })
  .refine((turn) => turn.input === undefined || turn.tool !== undefined, {
    error: 'input belongs to tool',
  })
  .refine((turn) => [turn.tool, turn.calls, turn.answer].filter(Boolean).length <= 1, {
    error: 'a turn has one of tool, calls and answer',
  })

const patternSchema = z.string().transform((source, ctx) => {
  try {
    return new RegExp(source)
  } catch {
    ctx.addIssue({ code: 'custom', message: 'not a regular expression' })
    return z.NEVER
  }
})

const ruleSchema = z
  .strictObject({
    skill: z.string().optional(),
    model: z.string().transform(serverNameOf).optional(),
    when: patternSchema.optional(),
    times: z.number().int().positive().optional(),
    delay_ms: milliseconds.default(0),
    reasoning: z.string().default(''),
    stop: z.enum(['length', 'refusal']).optional(),
    usage: z.literal('none').optional(),
    stall_after_chunks: z.number().int().nonnegative().optional(),
    answer: object.optional(),
    text: z.string().optional(),
    turns: z.array(turnSchema).min(1).optional(),
    error: z
      .strictObject({
        status: z.number().int().min(400).max(599),
        message: z.string().default('simulated error'),
        body: z.union([z.string(), object]).optional(),
        headers: z.record(z.string(), z.string()).default({}),
      })
      .optional(),
    hang: z.literal(true).optional(),
    drop: z.literal(true).optional(),
  })
  .refine((rule) => REPLIES.filter((reply) => rule[reply] !== undefined).length === 1, {
    error: `a rule needs exactly one of ${REPLIES.join(', ')}`,
  })

const count = z.number().int().positive()

const scriptSchema = z.strictObject({
  memory_slots: count.default(1),
  /** Calls at once before a server refuses more; the product's own number when absent. */
  parallel_calls: count.optional(),
  /** Tokens of context; the product's own number when absent. */
  context_tokens: count.optional(),
  /** Models that are served without tools. */
  toolless: z.array(z.string().transform(serverNameOf)).default([]),
  /** A key that every request must bring. */
  api_key: z.string().optional(),
  load_ms: z
    .record(z.string(), milliseconds)
    .default({})
    .transform((loads) => new Map(Object.entries(loads).map(([m, ms]) => [serverNameOf(m), ms]))),
  rules: z.array(ruleSchema).min(1),
})

/** What the simulated models do. See docs/guides/simulated-models.md for the format. */
export type Script = z.output<typeof scriptSchema>
export type Rule = z.output<typeof ruleSchema>
export type ScriptedTurn = z.output<typeof turnSchema>

/** @throws {ConfigError} with every problem, naming file and line */
export function parseScript(text: string, name: string): Script {
  return parseYaml(scriptSchema, text, name)
}

/** @throws {ConfigError} with every problem, naming file and line */
export async function readScript(path: string): Promise<Script> {
  return parseScript(await readFile(path, 'utf8'), path)
}

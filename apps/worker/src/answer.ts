import { askFor, jsonCandidates } from '@hyperguild/core/answer.ts'
import { addUsage, type ChatMessage, type ChatModel, type Usage } from '@hyperguild/core/chat.ts'
import { ModelFailure } from '@hyperguild/core/failure.ts'
import { validate, zodFrom } from '@hyperguild/core/json-schema.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import type { Skill } from '@hyperguild/core/skill.ts'
import { jsonrepair } from 'jsonrepair'

/** Local models do best close to greedy; cloud models refuse a temperature. */
const LOCAL_TEMPERATURE = 0.2

export interface Answer {
  output: Readonly<Record<string, unknown>>
  usage: Usage
}

/**
 * One call whose answer must match the skill's output schema, and one more with the validation error if it does not.
 * @throws {ModelFailure} `bad_output` when the second answer does not match either
 */
export async function answer(
  chat: ChatModel,
  skill: Skill,
  model: string,
  task: string,
  signal: AbortSignal,
): Promise<Answer> {
  const schema = skill.output ?? {}
  const request = {
    model,
    system: `${skill.discipline}\n\n${askFor(schema)}`,
    answerSchema: schema,
    maxOutputTokens: skill.limits.output_tokens,
    ...(tierOf(model) === 'local' ? { temperature: LOCAL_TEMPERATURE } : {}),
  }
  const messages: ChatMessage[] = [{ role: 'user', text: task }]
  const first = await chat({ ...request, messages }, signal)
  const parsed = parseAnswer(first.text, skill)
  if (parsed.ok) return { output: parsed.output, usage: first.usage }
  messages.push(
    { role: 'assistant', text: first.text },
    { role: 'user', text: `That answer cannot be used: ${parsed.problem}. ${askFor(schema)}` },
  )
  const second = await chat({ ...request, messages }, signal)
  const again = parseAnswer(second.text, skill)
  const usage = addUsage(first.usage, second.usage)
  if (again.ok) return { output: again.output, usage }
  throw new ModelFailure('bad_output', `the answer does not match its schema: ${again.problem}`)
}

type ParsedAnswer =
  | { ok: true; output: Readonly<Record<string, unknown>> }
  | { ok: false; problem: string }

function parseAnswer(text: string, skill: Skill): ParsedAnswer {
  const schema = zodFrom(skill.output ?? {})
  let problem = 'it holds no JSON object'
  for (const candidate of jsonCandidates(text)) {
    const value = parseLoosely(candidate)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
    const valid = validate(schema, value)
    if (valid.ok) return { ok: true, output: valid.value as Record<string, unknown> }
    problem = valid.problems.slice(0, 5).join('; ')
  }
  return { ok: false, problem }
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(jsonrepair(text))
  } catch {
    return undefined
  }
}

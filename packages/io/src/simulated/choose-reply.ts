import { serverNameOf } from '@hyperguild/core/model.ts'
import { type Asked, argumentsText, type Said, tokensIn } from './exchange.ts'
import type { Rule, Script, ScriptedTurn } from './script.ts'

/** The first rule that fits wins; a rule with `times` is used up after so many calls. */
export function createRuleBook(script: Script): (asked: Asked) => Rule | undefined {
  const used = new Map<Rule, number>()
  return (asked) => {
    const model = serverNameOf(asked.model)
    const rule = script.rules.find(
      (one) =>
        (one.skill === undefined || one.skill === asked.skill) &&
        (one.model === undefined || one.model === model) &&
        (one.times === undefined || (used.get(one) ?? 0) < one.times) &&
        (one.when === undefined || one.when.test(asked.promptText)),
    )
    if (rule?.times !== undefined) used.set(rule, (used.get(rule) ?? 0) + 1)
    return rule
  }
}

/**
 * What the rule lets the model say in this turn. Which turn it is shows in the request, so that the server keeps no
 * state and two attempts at once do not disturb each other; past the last turn the last one is repeated.
 * @param cached whether the system text is already in the prompt cache; ignored unless the call asks for caching
 */
export function say(rule: Rule, asked: Asked, id: string, cached: boolean): Said {
  const turn = throughTool(turnOf(rule, asked.turnsTaken), asked.answerTool)
  const calls = callsOf(turn).map(({ tool, input }, i) => ({
    id: `${id}-call${i}`,
    name: tool,
    input,
  }))
  const native = asked.offersTools ? calls : []
  const embedded = asked.offersTools ? [] : calls
  const text = [textOf(turn), ...embedded.map(embeddedCall)]
    .filter((part) => part !== '')
    .join('\n')
  const inputTokens = tokensIn(asked.promptText)
  const systemTokens = asked.cachesSystem ? tokensIn(asked.system) : 0
  return {
    id,
    model: asked.model,
    text,
    reasoning: rule.reasoning,
    calls: native,
    stop: rule.stop ?? (native.length > 0 ? 'tool_calls' : 'end'),
    usage:
      rule.usage === 'none'
        ? null
        : {
            inputTokens,
            outputTokens: tokensIn(text + rule.reasoning + JSON.stringify(native)),
            cacheReadTokens: cached ? systemTokens : 0,
            cacheWriteTokens: cached ? 0 : systemTokens,
          },
  }
}

function turnOf(rule: Rule, turnsTaken: number): ScriptedTurn {
  if (!rule.turns) return rule.answer ? { answer: rule.answer } : { text: rule.text ?? '' }
  return rule.turns[Math.min(turnsTaken, rule.turns.length - 1)]!
}

function throughTool(turn: ScriptedTurn, answerTool: string | null): ScriptedTurn {
  const { answer, ...rest } = turn
  return answer && answerTool ? { ...rest, tool: answerTool, input: answer } : turn
}

function callsOf(turn: ScriptedTurn) {
  return (
    turn.calls ?? (turn.tool === undefined ? [] : [{ tool: turn.tool, input: turn.input ?? {} }])
  )
}

function textOf(turn: ScriptedTurn): string {
  return [turn.text, turn.answer && JSON.stringify(turn.answer)].filter(Boolean).join('\n')
}

/** The dialect of models that were trained on tool calls but are served without them. */
function embeddedCall({ name, input }: Pick<Said['calls'][number], 'name' | 'input'>): string {
  return `<tool_call>\n{"name":${JSON.stringify(name)},"arguments":${argumentsText(input)}}\n</tool_call>`
}

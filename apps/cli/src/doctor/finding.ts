import type { ConfigError } from '@hyperguild/core/errors.ts'

/** `warning` is worth knowing and does not keep the fleet from working. */
export type State = 'ok' | 'warning' | 'problem'

/** One thing that was looked at. */
export interface Finding {
  what: string
  state: State
  detail: string
  /** What to do about it; there is one for everything that is not fine. */
  nextStep?: string
}

export function fine(what: string, detail: string): Finding {
  return { what, state: 'ok', detail }
}

export function warning(what: string, detail: string, nextStep: string): Finding {
  return { what, state: 'warning', detail, nextStep }
}

export function problem(what: string, detail: string, nextStep: string): Finding {
  return { what, state: 'problem', detail, nextStep }
}

/** Such an error says what to do in its own words, after the first semicolon or in a line of its own. */
export function fromConfigError(what: string, { problems }: ConfigError): Finding {
  const [detail = '', ...rest] = problems.flatMap((line) => line.split('; '))
  return problem(what, detail, rest.join('; ') || 'see the message')
}

export interface FoundSecret {
  /** With its article: `a GitHub token`. */
  kind: string
  /** The secret itself: to compare with, never to show. */
  value: string
  /** Counted from 1. */
  line: number
}

/**
 * Shapes of credentials that must never enter a project or a note. Specific forms only: guessing at passwords would
 * refuse more honest text than it saves. Repetitions are bounded where a long line could make them slow.
 */
const SECRETS: readonly (readonly [string, RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/g],
  ['an age key', /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/g],
  ['an AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ['a GitHub token', /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})/g],
  ['a GitLab token', /\bglpat-[\w-]{20,}/g],
  ['a Slack token', /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g],
  // A digit and a capital tell a key from a long name in kebab-case.
  ['an Anthropic key', /\bsk-ant-(?=[\w-]{0,99}\d)(?=[\w-]{0,99}[A-Z])[\w-]{20,}/g],
  ['an OpenAI key', /\bsk-(?!ant-)(?=[\w-]{0,99}\d)(?=[\w-]{0,99}[A-Z])[\w-]{32,}/g],
  ['a Google API key', /\bAIza[\w-]{35}/g],
  ['a Stripe key', /\b[rs]k_live_[A-Za-z0-9]{20,}/g],
  ['an npm token', /\bnpm_[A-Za-z0-9]{36}\b/g],
  ['a Hugging Face token', /\bhf_[A-Za-z0-9]{34,}/g],
  ['a JSON web token', /\beyJ[\w-]{10,999}\.eyJ[\w-]{10,4000}\.[\w-]{10,}/g],
  ['a bearer token', /\bAuthorization:\s*Bearer\s+[A-Za-z0-9._~+/-]{24,}/gi],
]

/** What in a text looks like a credential; invisible characters do not hide one. */
export function secretsIn(text: string): FoundSecret[] {
  const visible = text.replace(/\p{Cf}/gu, '')
  return SECRETS.flatMap(([kind, pattern]) =>
    [...visible.matchAll(pattern)].map((match) => ({
      kind,
      value: match[0],
      line: visible.slice(0, match.index).split('\n').length,
    })),
  )
}

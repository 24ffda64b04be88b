/** What was found, never the value itself; `line` counts from 1. */
export interface SecretFound {
  kind: string
  line: number
}

/** Texts that are secrets by their very form. Guessing at passwords would refuse more honest text than it saves. */
const SECRETS = {
  'a private key': /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/,
  'an age secret key': /\bAGE-SECRET-KEY-1[0-9A-Z]{50,}/,
  'an AWS access key': /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  'a GitHub token': /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})/,
  'a GitLab token': /\bglpat-[A-Za-z0-9_-]{20,}/,
  'a Slack token': /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/,
  // A digit and a capital tell a key from a long name in kebab-case.
  'a model provider key': /\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{32,}/,
  'a Google API key': /\bAIza[0-9A-Za-z_-]{35}/,
  'a Stripe key': /\b[rs]k_live_[0-9A-Za-z]{20,}/,
  'an npm token': /\bnpm_[A-Za-z0-9]{36}\b/,
  'a Hugging Face token': /\bhf_[A-Za-z0-9]{34,}/,
  'a JSON web token': /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/,
  'a bearer token': /\bAuthorization:\s*Bearer\s+[A-Za-z0-9._~+/-]{24,}/i,
} as const satisfies Record<string, RegExp>

/** Every line of a text that holds a secret, each kind once per line; invisible characters do not hide one. */
export function secretsIn(text: string): SecretFound[] {
  const lines = text.replace(/\p{Cf}/gu, '').split('\n')
  return lines.flatMap((line, index) =>
    Object.entries(SECRETS)
      .filter(([, pattern]) => pattern.test(line))
      .map(([kind]) => ({ kind, line: index + 1 })),
  )
}

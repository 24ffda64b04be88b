import * as z from 'zod'
import { SCOPES } from './principal.ts'

/** A static token as the tokens file keeps it: its hash, never itself. */
export const tokenSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots and dashes'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be the hexadecimal SHA-256 of the token'),
  scopes: z.array(z.enum(SCOPES)).min(1, 'must name at least one scope'),
  created: z.iso.datetime(),
  /** Good for ever when absent. */
  expires: z.iso.datetime().optional(),
})

export const tokensFileSchema = z.strictObject({ tokens: z.array(tokenSchema).default([]) })

export type Token = z.infer<typeof tokenSchema>

export function isExpired(token: Token, nowMs: number): boolean {
  return token.expires !== undefined && Date.parse(token.expires) <= nowMs
}

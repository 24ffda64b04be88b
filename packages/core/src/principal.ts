/** What a caller may do: run skills, read what is theirs, and see and manage everything. */
export const SCOPES = ['call', 'read', 'operate'] as const
export type Scope = (typeof SCOPES)[number]

/** Who calls. */
export interface Principal {
  /** Stands in jobs and session logs. */
  name: string
  scopes: readonly Scope[]
}

/** Whoever reaches a gateway that asks for no token. */
export const LOCAL: Principal = { name: 'local', scopes: SCOPES }

export function isOperator(principal: Principal): boolean {
  return principal.scopes.includes('operate')
}

/** Jobs, sessions and results are seen by whom they belong to, and by operators. */
export function maySee(principal: Principal, owner: string | undefined): boolean {
  return owner === principal.name || isOperator(principal)
}

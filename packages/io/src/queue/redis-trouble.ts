import { RequestError } from '@hyperguild/core/errors.ts'

/** What Redis answers while it takes no work, by the first word of its answer, in words for people. */
const REFUSALS: Readonly<Record<string, string>> = {
  LOADING: 'it still reads its data after a start',
  READONLY: 'it is a replica and takes no writes',
  MASTERDOWN: 'it is a replica that lost its master',
  OOM: 'its memory is full',
  MISCONF: 'it cannot write to its disk',
  BUSY: 'a script keeps it busy',
  NOREPLICAS: 'too few of its replicas are there',
  CLUSTERDOWN: 'its cluster is down',
  TRYAGAIN: 'its cluster is being rearranged',
  EXECABORT: 'it took no part of a transaction',
  NOAUTH: 'it wants a password',
  WRONGPASS: 'it does not take our password',
  NOPERM: 'it does not allow what we need',
}

/** What its client says when it is away. */
const AWAY =
  /^(Stream isn't writeable|Connection is closed|Command timed out|Reached the max retries per request|Command aborted due to connection close|Socket closed unexpectedly|ERR max number of clients)/

/** A call that met such trouble is worth making again after so long. */
const RETRY_MS = 2_000

/**
 * Why Redis could not do what was asked, in one clause; null when the error says something else: what is wrong with a
 * command or a script of ours is a bug, not trouble.
 */
export function redisTrouble(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if (AWAY.test(error.message)) return 'it cannot be reached'
  if (error.name !== 'ReplyError') return null
  const [word = ''] = error.message.split(' ', 1)
  const cause = (error as { previousErrors?: Error[] }).previousErrors?.[0]
  return (cause && redisTrouble(cause)) ?? REFUSALS[word] ?? null
}

/** What a call that met trouble with Redis is answered with; every other error as it is. */
export function busyOnTrouble(error: unknown): unknown {
  const trouble = redisTrouble(error)
  return trouble === null ? error : busyWith(trouble)
}

/** The refusal of a call for which Redis is needed. */
export function busyWith(trouble: string): RequestError {
  return new RequestError('busy', `Redis takes no work: ${trouble}; try again in a moment`, {
    retryAfterMs: RETRY_MS,
  })
}

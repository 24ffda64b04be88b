/** The parts of a job that can be read by themselves. */
export type JobPart = 'log' | 'patch'

/** The address of a job, or of a part of it, among the resources of MCP. */
export function jobUri(jobId: string, part?: JobPart): string {
  const uri = `hyperguild://jobs/${encodeURIComponent(jobId)}`
  return part ? `${uri}/${part}` : uri
}

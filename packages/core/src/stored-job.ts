import { JOB_VERSION, type Job } from './job.ts'

/** Whether a record is of a later version: what stands in it cannot be understood here, and must be left as it is. */
export function isOfLaterVersion({ version }: Pick<Job, 'version'>): boolean {
  return version > JOB_VERSION
}

/** A job in today's shape, whatever version recorded it. */
export function upToDate(stored: Job): Job {
  if (stored.version >= JOB_VERSION) return stored
  // Version 1 knew answers only: nothing was delivered besides.
  return { ...stored, version: JOB_VERSION, delivers: stored.delivers ?? 'answer' }
}

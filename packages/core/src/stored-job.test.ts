import { expect, test } from 'vitest'
import { aJob } from './job.fixture.ts'
import { JOB_VERSION } from './job.ts'
import { isOfLaterVersion, upToDate } from './stored-job.ts'

test('a job of today is left as it is', () => {
  const job = aJob()
  expect(upToDate(job)).toBe(job)
  expect(isOfLaterVersion(job)).toBe(false)
})

test('a job of version 1 delivers what its answer says and nothing besides', () => {
  const { delivers: _, ...stored } = aJob({ version: 1 })
  const job = upToDate(stored as ReturnType<typeof aJob>)
  expect(job).toEqual(aJob({ delivers: 'answer' }))
})

test('a job of a later version is known as one', () => {
  expect(isOfLaterVersion({ version: JOB_VERSION + 1 })).toBe(true)
})

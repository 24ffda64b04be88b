import { RequestError } from '@hyperguild/core/errors.ts'
import { validate } from '@hyperguild/core/json-schema.ts'
import type { ServerContext, Tool, ToolAnnotations } from '@modelcontextprotocol/server'
import * as z from 'zod'
import { structured } from './mcp-answers.ts'
import { waitForJob } from './mcp-calls.ts'
import { iconsFor } from './mcp-icons.ts'
import type { McpSession, ToolAnswer, ToolEntry } from './mcp-session.ts'
import { cancel, list, status } from './operations.ts'
import { JOBS_TOOLSET } from './tool-selection.ts'

const jobId = z.string().min(1).max(128).describe('The job_id of an earlier answer')

const waitInput = z.strictObject({
  job_id: jobId,
  wait_seconds: z
    .int()
    .min(0)
    .max(3600)
    .optional()
    .describe('How long to wait; chosen to suit your client when absent, and 0 only looks'),
})
const oneJob = z.strictObject({ job_id: jobId })
const listInput = z.strictObject({
  limit: z.int().min(1).max(100).default(20).describe('How many jobs at most'),
  before: z.iso
    .datetime()
    .optional()
    .describe('Only jobs submitted before: the submitted_at of the last one of an earlier list'),
  everybody: z.boolean().default(false).describe("Everybody's jobs; for operators"),
})

const JOB = {
  type: 'object',
  properties: {
    job_id: { type: 'string' },
    session_id: { type: 'string' },
    status: {
      enum: ['running', 'pass', 'fail', 'error'],
      description: 'running: it has no result yet',
    },
    phase: { type: 'string' },
    message: { type: 'string' },
  },
  required: ['job_id', 'status'],
} as const

const LIST = {
  type: 'object',
  properties: { jobs: { type: 'array', items: JOB }, message: { type: 'string' } },
  required: ['jobs'],
} as const

/** What a client does with a job that it has the id of. */
export const JOB_TOOLS: readonly ToolEntry[] = [
  jobTool({
    name: 'job_cancel',
    title: 'Cancel a job',
    description:
      'End a job that is no longer wanted. The model at work is stopped, nothing is changed in the project; a job that is done stays as it ended.',
    input: oneJob,
    output: JOB,
    hints: { readOnlyHint: false, destructiveHint: true },
    async run({ deps, principal }, { job_id }) {
      const { cancelled, status: now } = await cancel(deps, principal, job_id)
      const message = cancelled ? 'the job was cancelled' : `nothing to cancel: ${now.phase}`
      return structured({ ...now, cancelled, message })
    },
  }),
  jobTool({
    name: 'job_list',
    title: 'List jobs',
    description: 'List your latest jobs, newest first, with how far each is or how it ended.',
    input: listInput,
    output: LIST,
    hints: { readOnlyHint: true },
    async run({ deps, principal }, { limit, before, everybody }) {
      const beforeMs = before === undefined ? {} : { beforeMs: Date.parse(before) }
      const jobs = await list(deps, principal, { limit, everybody, ...beforeMs })
      return structured({ jobs, message: `${jobs.length} jobs` })
    },
  }),
  jobTool({
    name: 'job_status',
    title: 'See how far a job is',
    description: 'See at once how far a job is and what its attempts came to, without waiting.',
    input: oneJob,
    output: JOB,
    hints: { readOnlyHint: true },
    run: async ({ deps, principal }, { job_id }) =>
      structured({ ...(await status(deps, principal, job_id)) }),
  }),
  jobTool({
    name: 'job_wait',
    title: 'Wait for a job',
    description:
      'Wait for the result of a job that an earlier call left running, and get it as that call would have. Results are kept for a while, so a job that is done can be fetched again.',
    input: waitInput,
    output: JOB,
    hints: { readOnlyHint: true },
    isLong: true,
    run: (session, { job_id, wait_seconds }, ctx) => waitForJob(session, job_id, wait_seconds, ctx),
  }),
]

interface JobTool<Input extends z.ZodType> {
  name: string
  title: string
  description: string
  input: Input
  output: object
  hints: ToolAnnotations & { readOnlyHint: boolean }
  isLong?: boolean
  run(session: McpSession, input: z.output<Input>, ctx: ServerContext): Promise<ToolAnswer>
}

function jobTool<Input extends z.ZodType>(job: JobTool<Input>): ToolEntry {
  const { name, title, description, input, output, hints, isLong = false } = job
  const tool: Tool = {
    name,
    title,
    description,
    inputSchema: z.toJSONSchema(input, { io: 'input' }) as Tool['inputSchema'],
    outputSchema: output as NonNullable<Tool['outputSchema']>,
    annotations: {
      title,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
      ...hints,
    },
    icons: iconsFor('job'),
    _meta: { 'anthropic/maxResultSizeChars': 500_000 },
  }
  return {
    name,
    toolset: JOBS_TOOLSET,
    readOnly: hints.readOnlyHint,
    tool,
    isLong,
    run(session, given, ctx) {
      const valid = validate(input, given)
      if (!valid.ok) {
        throw new RequestError('invalid_argument', `${name}: ${valid.problems.join('; ')}`)
      }
      return job.run(session, valid.value as z.output<Input>, ctx)
    },
  }
}

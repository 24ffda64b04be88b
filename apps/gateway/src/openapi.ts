import { callInputOf } from '@hyperguild/core/call-inputs.ts'
import type { JsonSchema } from '@hyperguild/core/json-schema.ts'
import { resultSchemaOf } from '@hyperguild/core/result-schema.ts'
import type { Skill } from '@hyperguild/core/skill.ts'

const json = (schema: JsonSchema) => ({ 'application/json': { schema } })
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const answer = (description: string, schema: JsonSchema) => ({ description, content: json(schema) })

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'RFC 9457 problem details',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'what was wrong and what to do' },
  },
  required: ['type', 'title', 'status', 'detail'],
}

const STATUS: JsonSchema = {
  type: 'object',
  description: 'How far a job is',
  properties: {
    job_id: { type: 'string' },
    session_id: { type: 'string' },
    tool: { type: 'string' },
    status: { enum: ['running', 'pass', 'fail', 'error'] },
    state: { enum: ['queued', 'running', 'done'] },
    phase: { type: 'string' },
    attempt: { type: 'integer' },
    of: { type: 'integer' },
    queue_position: { type: 'integer' },
    attempts: { type: 'array', items: { type: 'object' } },
    submitted_at: { type: 'string', format: 'date-time' },
    deadline_at: { type: 'string', format: 'date-time' },
  },
  required: ['job_id', 'status', 'state'],
}

const PROBLEMS = {
  '4XX': {
    description: 'What was wrong and what to do; with Retry-After where waiting helps',
    content: { 'application/problem+json': { schema: ref('Problem') } },
  },
}

const pathParameter = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
})
const queryParameter = (name: string, description: string, schema: JsonSchema) => ({
  name,
  in: 'query',
  description,
  schema,
})

const STEP_ID = pathParameter('id', 'The id of a step on the list')
const JOB_ID = pathParameter('id', 'The job_id of an earlier answer')

/** The REST surface as an OpenAPI 3.1 document, from the same schemas that check calls and describe MCP tools. */
export function openApiDocument(
  skills: ReadonlyMap<string, Skill>,
  version: string,
): Readonly<Record<string, unknown>> {
  const offered = [...skills.values()].filter((skill) => skill.kind !== 'stage')
  return {
    openapi: '3.1.0',
    info: {
      title: 'hyperguild',
      version,
      description: 'Development skills, done by the cheapest model that really can.',
    },
    security: [{ token: [] }, {}],
    paths: {
      ...Object.fromEntries(offered.map((skill) => [`/v1/skills/${skill.name}`, skillPath(skill)])),
      ...JOB_PATHS,
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM, JobStatus: STATUS },
    },
  }
}

function skillPath(skill: Skill) {
  const running = {
    '202': {
      ...answer('It takes longer: ask again under Location', ref('JobStatus')),
      headers: { Location: { schema: { type: 'string' } } },
    },
  }
  return {
    post: {
      operationId: skill.name,
      summary: skill.title,
      description: skill.description,
      requestBody: { required: true, content: json(callInputOf(skill)) },
      responses: {
        '200': answer('The result', resultSchemaOf(skill)),
        ...(skill.kind === 'lookup' ? {} : running),
        ...PROBLEMS,
      },
    },
  }
}

const JOB_PATHS = {
  '/v1/jobs': {
    get: {
      operationId: 'listJobs',
      summary: 'Your latest jobs, newest first',
      parameters: [
        queryParameter('limit', 'how many', { type: 'integer', minimum: 1, maximum: 200 }),
        queryParameter('everybody', "everybody's, for operators", { type: 'boolean' }),
      ],
      responses: {
        '200': answer('The jobs', {
          type: 'object',
          properties: { jobs: { type: 'array', items: { type: 'object' } } },
        }),
        ...PROBLEMS,
      },
    },
  },
  '/v1/jobs/{id}': {
    parameters: [JOB_ID],
    get: {
      operationId: 'getJob',
      summary: 'The result of a job, or how far it is',
      responses: { '200': answer('The job', ref('JobStatus')), ...PROBLEMS },
    },
    delete: {
      operationId: 'cancelJob',
      summary: 'End a job; one that is done stays as it ended',
      responses: {
        '200': answer('Whether it was cancelled', {
          type: 'object',
          properties: { cancelled: { type: 'boolean' }, status: ref('JobStatus') },
        }),
        ...PROBLEMS,
      },
    },
  },
  '/v1/jobs/{id}/events': {
    parameters: [JOB_ID],
    get: {
      operationId: 'jobEvents',
      summary: 'Each step of a job as it happens, the result last',
      responses: {
        '200': { description: 'Server-sent events', content: { 'text/event-stream': {} } },
        ...PROBLEMS,
      },
    },
  },
  '/v1/dead': {
    get: {
      operationId: 'listDead',
      summary: 'The steps that workers died on, newest first; for operators',
      responses: {
        '200': answer('The steps', {
          type: 'object',
          properties: { dead: { type: 'array', items: { type: 'object' } } },
        }),
        ...PROBLEMS,
      },
    },
  },
  '/v1/dead/{id}': {
    parameters: [STEP_ID],
    get: {
      operationId: 'getDead',
      summary: 'What is known of such a step: its workers, their times, its input',
      responses: { '200': answer('The step', { type: 'object' }), ...PROBLEMS },
    },
    delete: {
      operationId: 'dropDead',
      summary: 'Take a step off the list',
      responses: { '200': answer('It is off', { type: 'object' }), ...PROBLEMS },
    },
  },
  '/v1/dead/{id}/retry': {
    parameters: [STEP_ID],
    post: {
      operationId: 'retryDead',
      summary: 'Make the call of such a step anew, and take it off the list',
      responses: {
        '202': answer('The new job', {
          type: 'object',
          properties: { job_id: { type: 'string' } },
        }),
        ...PROBLEMS,
      },
    },
  },
  '/v1/sessions/{id}': {
    parameters: [pathParameter('id', 'A session_id')],
    get: {
      operationId: 'getSession',
      summary: 'The log of a session',
      responses: {
        '200': answer('Its entries, oldest first', {
          type: 'object',
          properties: {
            session_id: { type: 'string' },
            entries: { type: 'array', items: { type: 'object' } },
          },
        }),
        ...PROBLEMS,
      },
    },
  },
}

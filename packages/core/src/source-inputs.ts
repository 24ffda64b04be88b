import type { JsonSchema } from './json-schema.ts'

const REPO = {
  type: 'object',
  description:
    'A repository to work on instead of a directory: project_root is then "." and the answer carries the patch',
  additionalProperties: false,
  required: ['url', 'ref'],
  properties: {
    url: { type: 'string', maxLength: 2000, description: 'https URL on an allowed host' },
    ref: { type: 'string', maxLength: 255, description: 'Branch, tag or commit' },
  },
}

const BUNDLE = {
  type: 'array',
  description:
    'The project as files, when no worker can see it: project_root is then "." and the answer carries the patch',
  minItems: 1,
  maxItems: 500,
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['path', 'content'],
    properties: {
      path: { type: 'string', maxLength: 1024 },
      content: { type: 'string', maxLength: 262_144 },
    },
  },
}

/** Lets every skill that works on a project also take it from a repository or as a bundle of files. */
export function withSourceInputs(input: JsonSchema): JsonSchema {
  const properties = input.properties as Record<string, unknown>
  if (!('project_root' in properties)) return input
  return { ...input, properties: { ...properties, repo: REPO, bundle: BUNDLE } }
}

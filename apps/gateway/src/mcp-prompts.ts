import type { McpServer } from '@modelcontextprotocol/server'
import * as z from 'zod'

const projectRoot = z.string().describe('Absolute path of the project')
const sessionId = z
  .string()
  .optional()
  .describe('A name for this thread of work; the calls then know of each other')

/** The workflows that take more than one skill, for people to choose. */
export function servePrompts(server: McpServer): void {
  server.registerPrompt(
    'red-green-refactor',
    {
      title: 'Red, green, refactor',
      description: 'Add behaviour test first: a failing test, the least code, then cleaner code.',
      argsSchema: z.object({
        project_root: projectRoot,
        behaviour: z.string().describe('What the code must do, with examples of input and result'),
        test_cmd: z.string().optional().describe('The command that runs the tests'),
        session_id: sessionId,
      }),
    },
    (given) => said(redGreenRefactor(given)),
  )
  server.registerPrompt(
    'review-then-fix',
    {
      title: 'Review, then fix',
      description: 'Have files reviewed, check each finding, and fix the real ones test first.',
      argsSchema: z.object({
        project_root: projectRoot,
        files: z.string().describe('Files to review, relative to the project, commas between them'),
        context: z.string().optional().describe('What the change is for'),
        session_id: sessionId,
      }),
    },
    (given) => said(reviewThenFix(given)),
  )
}

interface Given {
  project_root: string
  session_id?: string | undefined
}

function redGreenRefactor(given: Given & { behaviour: string; test_cmd?: string | undefined }) {
  return `Work test first with the hyperguild tools, one step after the other. Give every call ${commonArguments(given)}.

1. Call tdd_red with this as spec:
${quoted(given.behaviour)}
   Go on only when its status is "pass" and verified is true. Note file_path: that is the test.
2. Call tdd_green with that file as test_path. Go on only when status is "pass" and verified is true.
3. Look at the change. If the code can be made plainer, call tdd_refactor with test_path and impl_path; if not, say so.

When a status is "running", call job_wait with its job_id. When it is "fail" or "error", show the message and the
attempts, and ask before you try again with another model. Never edit the test to make it pass.
At the end tell in a few sentences what was added and which test proves it.`
}

function reviewThenFix(given: Given & { files: string; context?: string | undefined }) {
  const files = given.files.split(',').map((file) => file.trim())
  const context = given.context ? `, and as context:\n${quoted(given.context)}\n  ` : ''
  return `Have code reviewed with the hyperguild tools, then fix what is really wrong. Give every call ${commonArguments(given)}.

1. Call review with files ${JSON.stringify(files)}${context}.
2. Check each finding against the code yourself, and drop those that do not hold; say why.
3. For each one that does, most severe first: call tdd_red with a spec that states the right behaviour, then tdd_green
   with the test that came of it. Go on only when status is "pass" and verified is true.
4. Call review once more with the same files.

When a status is "running", call job_wait with its job_id. End with a list: each finding, whether it was real, and the
test that now guards it.`
}

function commonArguments(given: Given & { test_cmd?: string | undefined }): string {
  return (['project_root', 'test_cmd', 'session_id'] as const)
    .flatMap((name) => (given[name] ? [`${name} ${JSON.stringify(given[name])}`] : []))
    .join(', ')
}

function quoted(text: string): string {
  return text.replace(/^/gm, '   > ')
}

function said(text: string) {
  return { messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }] }
}

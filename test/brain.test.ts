import { expect, test, vi } from 'vitest'
import { connectClient } from './skill-client.ts'
import { startTestFleet } from './test-fleet.ts'

const SCRIPT = `
rules:
  - skill: spec
    when: Round money only once
    answer: { message: The note helped., title: T, problem: p, goal: g, success_criteria: [a], constraints: [], out_of_scope: [], risks: [] }
  - skill: trainer_reader
    when: SECRET-OF-THE-LOG
    answer:
      message: One lesson.
      lessons: [{ lesson: Check the spelling of article numbers, evidence: entry 1, applies_when: keys are looked up }]
  - skill: trainer
    when: SECRET-OF-THE-LOG
    answer: { message: The writer saw the log., notes: [] }
  - skill: trainer
    when: Check the spelling of article numbers
    answer:
      message: One note.
      notes: [{ title: Article numbers, content: Normalise article numbers before storing them., tags: [keys] }]
  - skill: spec
    answer: { message: SECRET-OF-THE-LOG, title: T, problem: p, goal: g, success_criteria: [a], constraints: [], out_of_scope: [], risks: [] }
  - skill: verifier
    answer: { accept: true, feedback: Fine. }
`

test('a note that was written is found, and a second one that says the same joins it', async () => {
  const fleet = await startTestFleet({ script: SCRIPT })
  const client = await connectClient(fleet.url)
  const note = { title: 'Rounding', content: 'Round money only once.', tags: ['money'] }
  expect(await client.ask('brain_write', note)).toMatchObject({
    path: 'rounding.md',
    merged: false,
  })
  expect(await client.ask('brain_write', note)).toMatchObject({ path: 'rounding.md', merged: true })
  const found = await client.ask('brain_query', { query: 'how to round money' })
  expect(found.notes).toMatchObject([{ title: 'Rounding', tags: ['money'] }])
})

test('a note that fits a task is offered to its model, unless the switch is off', async () => {
  for (const [offer, message] of [
    ['on', 'The note helped.'],
    ['off', 'SECRET-OF-THE-LOG'],
  ] as const) {
    const fleet = await startTestFleet({
      script: SCRIPT,
      environment: { HYPERGUILD_BRAIN_OFFER: offer },
    })
    const client = await connectClient(fleet.url)
    await client.ask('brain_write', { title: 'Rounding', content: 'Round money only once.' })
    const requirements = 'Round all money amounts to cents, only once'
    const input = { project_root: fleet.folder, requirements }
    expect(await client.call('spec', input)).toMatchObject({ message })
  }
})

test("a trainer's writer sees only what its reader made of the log, and its notes land in the brain", async () => {
  const fleet = await startTestFleet({ script: SCRIPT })
  const client = await connectClient(fleet.url)
  const session = { session_id: 'lessons' }
  const input = { project_root: fleet.folder, requirements: 'Anything', ...session }
  expect(await client.call('spec', input)).toMatchObject({ status: 'pass' })
  expect(await client.call('trainer', session)).toMatchObject({
    status: 'pass',
    message: 'One note.',
  })
  await vi.waitFor(async () => {
    const found = await client.ask('brain_query', { query: 'article numbers' })
    expect(found.notes).toMatchObject([{ title: 'Article numbers', tags: ['keys'] }])
  }, 15_000)
})

test('a retrospective of a session without entries says so', async () => {
  const fleet = await startTestFleet({ script: SCRIPT })
  const client = await connectClient(fleet.url)
  expect(await client.ask('retrospective', { session_id: 'nothing' })).toMatchObject({
    content: [{ text: 'session_id: there is no entry of session "nothing" yet' }],
  })
})

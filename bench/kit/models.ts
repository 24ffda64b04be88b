/** The models of the bench: one whose work is accepted, three whose work is rejected, one in the cloud. */
export const ACCEPTED_MODEL = 'ollama/good'
export const REJECTED_MODELS = ['ollama/weak-1', 'ollama/weak-2', 'ollama/weak-3'] as const
export const CLOUD_MODEL = 'claude-bench'

export const MODELS_YAML = `
verifier: ${CLOUD_MODEL}
default_chain: [${[ACCEPTED_MODEL, ...REJECTED_MODELS, CLOUD_MODEL].join(', ')}]
`

/** What a weak model says; the verifier knows it by that. */
export const WEAK_ANSWER = 'A weak answer.'
export const GOOD_ANSWER = 'A good answer.'
export const REJECTION = 'Line 25 of src/discounts.js takes the bulk discount off twice.'
export const APPROVAL = 'The finding is there and its reason holds.'

export function isWeak(model: string): boolean {
  return (REJECTED_MODELS as readonly string[]).includes(model)
}

const FINDING = `
        - file: src/prices.js
          line: 15
          severity: major
          reason: The README promises 10 % off from ten articles on, but <= leaves out the tenth.
          snippet: if (line.quantity <= BULK_QUANTITY) return 0`

/** The script of the simulated models: every answer is instant. */
export const SCRIPT_YAML = `
memory_slots: 8
rules:${REJECTED_MODELS.map(
  (model) => `
  - skill: review
    model: ${model}
    answer:
      message: ${WEAK_ANSWER}
      findings:${FINDING}`,
).join('')}
  - skill: review
    answer:
      message: ${GOOD_ANSWER}
      findings:${FINDING}
  - skill: verifier
    when: ${WEAK_ANSWER}
    answer: { accept: false, feedback: ${REJECTION} }
  - skill: verifier
    answer: { accept: true, feedback: ${APPROVAL} }
`

/** A skill that needs no project, so that what remains of a job is the way through the fleet. */
export const ECHO_SKILL = `---
title: Echo
description: Says one sentence.
kind: answer
input:
  type: object
  additionalProperties: false
  required: [text]
  properties:
    text: { type: string, description: What to say }
    model: { type: string, description: Use this one model }
output:
  type: object
  additionalProperties: false
  required: [message]
  properties:
    message: { type: string, description: One sentence }
---
# echo

Say what you are given in one sentence.
`

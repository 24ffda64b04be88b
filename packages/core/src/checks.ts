import type { Patch, TestRun } from './evidence.ts'
import { noTestsTouched, onlyTestsTouched, patchNotEmpty, patchPolicy } from './patch-policy.ts'
import { quotesExist } from './quotes-exist.ts'
import { greenProblems, type Proof, redProblems, refactorProblems } from './test-proof.ts'

/** What a check may look at. Everything was read or executed by the worker. */
export interface CheckContext {
  input: Readonly<Record<string, unknown>>
  output: Readonly<Record<string, unknown>>
  /** The lines of a project file as it was before the attempt, or null when there is no such text file. */
  linesOf(path: string): readonly string[] | null
  patch: Patch | null
  before: TestRun | null
  after: TestRun | null
}

export interface Check {
  /** `rule`: always holds, whoever judges. `proof`: evidence that the work was done, which a skill may leave to a model. */
  kind: 'rule' | 'proof'
  /** Project files the check wants to look into, so that the worker can read them first. */
  filesNamed?(output: Readonly<Record<string, unknown>>): string[]
  /** One line per problem, written for the model that must do better; empty when all is well. */
  problems(context: CheckContext): string[]
}

/** The mechanical checks a skill may ask for by name. A new kind of check is one function and one row here. */
export const CHECKS = {
  findings_exist: quotesExist('findings', 'finding'),
  evidence_exists: quotesExist('evidence', 'evidence'),
  patch_not_empty: patchNotEmpty,
  patch_policy: patchPolicy,
  only_tests_touched: onlyTestsTouched,
  no_tests_touched: noTestsTouched,
  fails_because_of_new_test: provenBy(redProblems),
  makes_test_pass: provenBy(greenProblems),
  keeps_tests_passing: provenBy(refactorProblems),
} as const satisfies Record<string, Check>

export type CheckName = keyof typeof CHECKS

/** Whether the check of this name, as evidence records it, proves work rather than holds a rule. */
export function isProof(name: string): boolean {
  return Object.hasOwn(CHECKS, name) && CHECKS[name as CheckName].kind === 'proof'
}

function provenBy(prove: (proof: Proof) => string[]): Check {
  return {
    kind: 'proof',
    problems({ input, before, after, patch }) {
      if (before === null || after === null || patch === null) return ['The tests were not run.']
      const testPath = typeof input.test_path === 'string' ? { testPath: input.test_path } : {}
      return prove({ before, after, patch, ...testPath })
    },
  }
}

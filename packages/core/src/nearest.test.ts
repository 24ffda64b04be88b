import { expect, test } from 'vitest'
import { didYouMean, nearestTo } from './nearest.ts'

const known = ['chain', 'default_chain', 'verifier', 'skills']

test.each([
  ['chian', 'chain'],
  ['chains', 'chain'],
  ['defaultchain', 'default_chain'],
  ['verfier', 'verifier'],
  ['skill', 'skills'],
  ['models', undefined],
  ['xyz', undefined],
])('the word nearest to %s is %s', (word, nearest) => {
  expect(nearestTo(word, known)).toBe(nearest)
})

test('the nearest of several near words is taken', () => {
  expect(nearestTo('tdd_grean', ['tdd_red', 'tdd_green', 'tdd_groan'])).toBe('tdd_green')
})

test('a suggestion ends the sentence, and no suggestion adds nothing', () => {
  expect(didYouMean('verfier', known)).toBe('; did you mean verifier?')
  expect(didYouMean('models', known)).toBe('')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addItem, createCart, isEmpty, removeItem } from '../src/cart.js'

test('a new cart is empty', () => {
  assert.equal(isEmpty(createCart()), true)
})

test('adding the same article twice makes one line', () => {
  const cart = addItem(addItem(createCart(), 'MUG-01'), 'MUG-01', 2)
  assert.deepEqual(cart.lines, [{ number: 'MUG-01', quantity: 3 }])
})

test('removing an article takes its whole line', () => {
  const cart = addItem(addItem(createCart(), 'MUG-01', 2), 'PEN-03')
  assert.deepEqual(removeItem(cart, 'MUG-01').lines, [{ number: 'PEN-03', quantity: 1 }])
})

test('an unknown article is refused', () => {
  assert.throws(() => addItem(createCart(), 'CAR-99'), /no article CAR-99/)
})

test('a quantity must be a whole number above zero', () => {
  assert.throws(() => addItem(createCart(), 'MUG-01', 0), RangeError)
  assert.throws(() => addItem(createCart(), 'MUG-01', 1.5), RangeError)
})

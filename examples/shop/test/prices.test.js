import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addItem, createCart } from '../src/cart.js'
import { codeDiscountCents, totalCents } from '../src/discounts.js'
import { formatCents, linePriceCents, subtotalCents } from '../src/prices.js'

test('a line costs price times quantity', () => {
  assert.equal(linePriceCents({ number: 'PAD-11', quantity: 3 }), 960)
})

test('many of one article are cheaper', () => {
  assert.equal(linePriceCents({ number: 'PAD-11', quantity: 20 }), 5760)
})

test('the subtotal is the sum of the lines', () => {
  const cart = addItem(addItem(createCart(), 'MUG-01', 2), 'INK-07')
  assert.equal(subtotalCents(cart), 3395)
})

test('a code takes its percentage off', () => {
  const cart = addItem(createCart(), 'PEN-03', 2)
  assert.equal(codeDiscountCents(cart, 'AUTUMN'), 720)
  assert.equal(totalCents(cart, 'AUTUMN'), 4080)
})

test('a code below its minimum takes nothing off', () => {
  const cart = addItem(createCart(), 'MUG-01')
  assert.equal(totalCents(cart, 'AUTUMN'), 1250)
})

test('an unknown code takes nothing off', () => {
  assert.equal(codeDiscountCents(addItem(createCart(), 'MUG-01'), 'toString'), 0)
})

test('cents are printed with two decimals', () => {
  assert.equal(formatCents(1205), '12.05')
})

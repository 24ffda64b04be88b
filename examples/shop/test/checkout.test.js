import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addItem, createCart } from '../src/cart.js'
import { checkout } from '../src/checkout.js'
import { available, createStock } from '../src/stock.js'

test('a sale takes the articles off the stock and prints a receipt', () => {
  const stock = createStock({ 'MUG-01': 5 })
  const sale = checkout(addItem(createCart(), 'MUG-01', 2), stock)
  assert.equal(sale.totalCents, 2500)
  assert.match(sale.receipt, /^2 x Mug, blue +25\.00$/m)
  assert.match(sale.receipt, /^Total EUR +25\.00$/m)
  assert.equal(available(stock, 'MUG-01'), 3)
})

test('what a code saves is on the receipt', () => {
  const sale = checkout(addItem(createCart(), 'PEN-03'), createStock({ 'PEN-03': 1 }), 'WELCOME')
  assert.match(sale.receipt, /^You saved +1\.20$/m)
})

test('an empty cart is refused', () => {
  assert.deepEqual(checkout(createCart(), createStock({})), {
    sold: false,
    reason: 'the cart is empty',
  })
})

test('a stock that is too small refuses the sale and keeps its articles', () => {
  const stock = createStock({ 'MUG-02': 3 })
  const sale = checkout(addItem(createCart(), 'MUG-02', 4), stock)
  assert.equal(sale.reason, 'not enough in stock: MUG-02 (3 left)')
  assert.equal(available(stock, 'MUG-02'), 3)
})

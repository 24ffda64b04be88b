import { addItem, createCart } from './cart.js'
import { checkout } from './checkout.js'
import { createStock } from './stock.js'

const SHELF = { 'MUG-01': 24, 'MUG-02': 3, 'PEN-03': 12, 'INK-07': 40, 'PAD-11': 200 }

const words = process.argv.slice(2)
const flag = words.indexOf('--code')
const code = flag === -1 ? undefined : words.splice(flag, 2)[1]

const cart = createCart()
for (const word of words) {
  const [number, quantity = '1'] = word.split('=')
  addItem(cart, number, Number(quantity))
}

const sale = checkout(cart, createStock(SHELF), code)
console.log(sale.sold ? sale.receipt : `Refused: ${sale.reason}`)

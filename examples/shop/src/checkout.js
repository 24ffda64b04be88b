import { isEmpty } from './cart.js'
import { totalCents } from './discounts.js'
import { printReceipt } from './receipt.js'
import { missingLines, takeFrom } from './stock.js'

/**
 * Sells a cart: takes it off the stock and gives the total and the receipt.
 * An empty cart or a stock that is too small is refused with a reason, and nothing is taken.
 */
export function checkout(cart, stock, code) {
  if (isEmpty(cart)) return { sold: false, reason: 'the cart is empty' }
  const missing = missingLines(stock, cart)
  if (missing.length > 0) {
    const what = missing.map((line) => `${line.number} (${line.available} left)`).join(', ')
    return { sold: false, reason: `not enough in stock: ${what}` }
  }
  const total = totalCents(cart, code)
  const receipt = printReceipt(cart, code)
  takeFrom(stock, cart)
  return { sold: true, totalCents: total, receipt }
}

import { findArticle } from './catalogue.js'
import { savingsCents, totalCents } from './discounts.js'
import { formatCents, linePriceCents } from './prices.js'

const WIDTH = 40

/** The receipt as text: one row per line, the savings if there are any, the total. */
export function printReceipt(cart, code) {
  const rows = cart.lines.map((line) =>
    row(`${line.quantity} x ${findArticle(line.number).name}`, linePriceCents(line)),
  )
  const savings = savingsCents(cart, code)
  return [
    ...rows,
    '-'.repeat(WIDTH),
    ...(savings > 0 ? [row('You saved', savings)] : []),
    row('Total EUR', totalCents(cart, code)),
  ].join('\n')
}

function row(label, cents) {
  const amount = formatCents(cents)
  return label.padEnd(WIDTH - amount.length) + amount
}

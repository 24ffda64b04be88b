import { findArticle } from './catalogue.js'

/** From this many of one article on, the line is cheaper. */
export const BULK_QUANTITY = 10
const BULK_PERCENT = 10

/** What a line costs before any discount, in cents. */
export function fullPriceCents(line) {
  const article = findArticle(line.number)
  return article.priceCents * line.quantity
}

/** What a line saves because many of the same article are bought, in cents. */
export function bulkDiscountCents(line) {
  if (line.quantity <= BULK_QUANTITY) return 0
  return Math.round((fullPriceCents(line) * BULK_PERCENT) / 100)
}

/** What the customer pays for a line, in cents. */
export function linePriceCents(line) {
  return fullPriceCents(line) - bulkDiscountCents(line)
}

/** The sum of all lines after bulk discounts and before a discount code, in cents. */
export function subtotalCents(cart) {
  return cart.lines.reduce((sum, line) => sum + linePriceCents(line), 0)
}

/** 1250 -> "12.50" */
export function formatCents(cents) {
  return (cents / 100).toFixed(2)
}

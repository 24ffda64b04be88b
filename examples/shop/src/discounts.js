import { bulkDiscountCents, subtotalCents } from './prices.js'

/** The codes of this season. A code counts once per cart, from its minimum on. */
const CODES = {
  WELCOME: { percent: 5, minimumCents: 0 },
  AUTUMN: { percent: 15, minimumCents: 4000 },
}

/** What a discount code takes off the subtotal, in cents; 0 for an unknown code or too small a cart. */
export function codeDiscountCents(cart, code) {
  const rule = Object.hasOwn(CODES, code ?? '') ? CODES[code] : undefined
  const subtotal = subtotalCents(cart)
  if (!rule || subtotal < rule.minimumCents) return 0
  return Math.round((subtotal * rule.percent) / 100)
}

/** What all discounts together save the customer, in cents; printed on the receipt. */
export function savingsCents(cart, code) {
  const bulk = cart.lines.reduce((sum, line) => sum + bulkDiscountCents(line), 0)
  return bulk + codeDiscountCents(cart, code)
}

/** What the customer pays for the whole cart, in cents. */
export function totalCents(cart, code) {
  return subtotalCents(cart) - savingsCents(cart, code)
}

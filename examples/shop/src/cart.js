import { isKnown } from './catalogue.js'

/** A cart: `lines` of article number and quantity, in the order they were added. */
export function createCart() {
  return { lines: [] }
}

/**
 * Puts a quantity of an article into the cart; a second time adds to the line that is there.
 * @throws {RangeError} for an unknown article or a quantity that is not a whole number above zero
 */
export function addItem(cart, number, quantity = 1) {
  if (!isKnown(number)) throw new RangeError(`no article ${number}`)
  if (!Number.isInteger(quantity) || quantity < 1) {
    throw new RangeError(`quantity of ${number} must be a whole number above zero`)
  }
  const line = cart.lines.find((one) => one.number === number)
  if (line) line.quantity += quantity
  else cart.lines.push({ number, quantity })
  return cart
}

/** Takes an article out of the cart, however many there were. */
export function removeItem(cart, number) {
  cart.lines = cart.lines.filter((line) => line.number !== number)
  return cart
}

export function isEmpty(cart) {
  return cart.lines.length === 0
}

import { normaliseNumber } from './catalogue.js'

/** A stock: how many of each article are on the shelf. */
export function createStock(counts) {
  return { counts: new Map(Object.entries(counts)) }
}

export function available(stock, number) {
  return stock.counts.get(normaliseNumber(number)) ?? 0
}

/** The lines of a cart that the stock cannot cover, each with what is there. */
export function missingLines(stock, cart) {
  return cart.lines
    .filter((line) => available(stock, line.number) < line.quantity)
    .map((line) => ({ ...line, available: available(stock, line.number) }))
}

/** Takes a cart's articles off the shelf. Call it only when nothing is missing. */
export function takeFrom(stock, cart) {
  for (const line of cart.lines) {
    const number = normaliseNumber(line.number)
    stock.counts.set(number, available(stock, number) - line.quantity)
  }
}

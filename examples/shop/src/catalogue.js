/** Every article the shop sells, by article number. */
const ARTICLES = {
  'MUG-01': { name: 'Mug, blue', priceCents: 1250 },
  'MUG-02': { name: 'Mug, green', priceCents: 1250 },
  'PEN-03': { name: 'Fountain pen', priceCents: 2400 },
  'INK-07': { name: 'Ink, 50 ml', priceCents: 895 },
  'PAD-11': { name: 'Writing pad A5', priceCents: 320 },
}

/** Article numbers are printed in capitals; people type them as they like. */
export function normaliseNumber(number) {
  return number.trim().toUpperCase()
}

export function isKnown(number) {
  return Object.hasOwn(ARTICLES, normaliseNumber(number))
}

/** The article with this number, or undefined when the shop does not sell it. */
export function findArticle(number) {
  return Object.hasOwn(ARTICLES, number) ? ARTICLES[number] : undefined
}

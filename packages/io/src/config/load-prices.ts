import type { Validation } from '@hyperguild/core/json-schema.ts'
import { type PriceList, priceListSchema } from '@hyperguild/core/price.ts'
import { checkYaml, readYaml } from './parse-yaml.ts'
import { readText, shownPath } from './read-text.ts'

/** Reads prices.yaml; every problem as `file:line: key: what`. */
export function checkPrices(path: string): Validation<PriceList> {
  const file = readText(path, 'name the file in HYPERGUILD_PRICES_FILE, or write it there')
  return file.ok ? checkYaml(priceListSchema, readYaml(file.value, shownPath(path))) : file
}

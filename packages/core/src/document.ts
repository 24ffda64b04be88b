/**
 * An answer as a markdown document: `title` as its heading, then a section for each other property in the order the
 * model's schema names them. Lists become bullets; `message`, which is for the caller, is left out.
 */
export function documentText(
  output: Readonly<Record<string, unknown>>,
  propertyNames: readonly string[],
): string {
  const sections = propertyNames
    .filter((name) => !['title', 'message'].includes(name) && output[name] !== undefined)
    .map((name) => `## ${headingOf(name)}\n\n${bodyOf(output[name])}\n`)
  return [`# ${String(output.title ?? 'Untitled')}\n`, ...sections].join('\n')
}

function headingOf(name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function bodyOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value)
  return value.length === 0 ? 'None.' : value.map((item) => `- ${itemText(item)}`).join('\n')
}

function itemText(item: unknown): string {
  return typeof item === 'string' ? item : JSON.stringify(item)
}

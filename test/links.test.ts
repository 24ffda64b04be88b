import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

/** The relative targets of links and images in a markdown text; code is not looked at. */
function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
  const inline = prose.matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g)
  const reference = prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)
  return [...inline, ...reference]
    .map((match) => match[1]!.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(target))
}

function deadLinks(file: string, markdown: string): string[] {
  return relativeLinks(markdown)
    .filter((target) => !existsSync(join(dirname(file), decodeURIComponent(target))))
    .map((target) => `${file}: ${target}`)
}

test('every relative link in the documents leads to a file', () => {
  const files = globSync(['*.md', '{apps,bench,config,deploy,docs,examples,packages}/**/*.md'], {
    exclude: (path) => path.includes('node_modules'),
  })
  expect(files).toContain('CONTRIBUTING.md')
  expect(files.flatMap((file) => deadLinks(file, readFileSync(file, 'utf8')))).toEqual([])
})

test('a dead link is noticed, and a web address or code is none', () => {
  const text =
    '[a](no-such.md) ![b](gone.png "B") [c](https://example.com) `[d](e.md)`\n[f]: gone.md'
  expect(deadLinks('README.md', text)).toHaveLength(3)
  expect(deadLinks('README.md', '[a](CONTRIBUTING.md#run-it) [b](#here)')).toEqual([])
})

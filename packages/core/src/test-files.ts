/** Where the common languages and runners keep tests, their data, their expected output and their doubles. */
const TEST_FILES: readonly RegExp[] = [
  // Directories that hold nothing but tests, in most languages.
  /(^|\/)(tests?|__tests__|e2e|testdata|__snapshots__|__fixtures__|__mocks__)\//i,
  // JavaScript, TypeScript
  /\.(test|spec|e2e|cy)(-d)?\.[cm]?[jt]sx?$/,
  /\.snap$/,
  // Python
  /(^|\/)(test_[^/]*|[^/]*_test|conftest)\.py$/,
  // Go, Dart, Elixir, Ruby, C, C++, Zig, Lua
  /_test\.(go|dart|exs|rb|c|cc|cpp|cxx|zig|lua)$/,
  /(^|\/)test_[^/]*\.(c|cc|cpp|cxx|rb)$/,
  /_spec\.(rb|lua|cr)$/,
  /(^|\/)spec\/.*\.(rb|cr)$/,
  // Java, Kotlin, Scala, Groovy, C#, PHP, Swift
  /(^|\/)[^/]*(Tests?|IT|Spec)\.(java|kt|kts|scala|groovy|cs|php|swift|fs)$/,
  /(^|\/)[^/]+\.(Unit|Integration)?Tests?\//,
  // Rust, by its own convention beside tests/
  /(^|\/)tests\.rs$/,
  // shell
  /\.bats$/,
]

/** Files that decide which tests run and how. */
const TEST_SETUP =
  /(^|\/)((vitest|jest|karma|playwright|cypress|ava|wtr)\.(config|setup|conf|workspace)\.[^/]+|\.mocharc(\.[^/]+)?|\.(nyc|c8)rc[^/]*|pytest\.ini|tox\.ini|noxfile\.py|phpunit\.xml(\.dist)?|\.rspec|nextest\.toml)$/i

/** Whether a path is a test by the conventions of its language: its own place, its data, snapshots and doubles too. */
export function isTestFile(path: string): boolean {
  return TEST_FILES.some((pattern) => pattern.test(path))
}

/** Whether a path configures a test runner: who may not touch tests may not touch this either. */
export function isTestSetup(path: string): boolean {
  return TEST_SETUP.test(path)
}

/**
 * Paths that run code, or steer agents, on the machine of whoever takes the patch: outside of what a test or a
 * reviewer of the change would look at. `.gitignore` and `.gitkeep` are among them: no skill needs to write them, and
 * a rule that hides files from git hides them from the patch.
 */
const PROTECTED: readonly (readonly [string, RegExp])[] = [
  ['git configuration', /(^|\/)\.git[^/]*$/i],
  [
    'CI configuration',
    /^(\.github|\.gitlab|\.gitea|\.forgejo|\.woodpecker|\.circleci|\.buildkite|\.ci|\.teamcity|\.tekton)\/|(^|\/)(Jenkinsfile[^/]*|\.gitlab-ci[^/]*|\.travis\.yml|\.drone\.ya?ml|\.woodpecker\.ya?ml|\.cirrus\.ya?ml|azure-pipelines[^/]*|bitbucket-pipelines\.yml|appveyor\.yml|cloudbuild\.ya?ml|buildspec\.ya?ml)$/i,
  ],
  [
    'agent instructions or settings',
    /(^|\/)(\.claude|\.cursor|\.codex|\.gemini|\.windsurf|\.continue|\.roo|\.kiro|\.opencode|\.agents|\.aider[^/]*)(\/|$)|(^|\/)(CLAUDE(\.local)?\.md|AGENTS(\.override)?\.md|GEMINI\.md|\.mcp\.json|\.(cursor|windsurf|cline)rules[^/]*|opencode\.jsonc?)$/i,
  ],
  [
    'editor or shell settings',
    /(^|\/)(\.vscode|\.idea|\.zed|\.devcontainer|\.fleet)\/|(^|\/)(\.envrc|\.env(\.[^/]*)?|\.npmrc|\.yarnrc[^/]*|\.pnpmfile\.cjs|\.pypirc|\.netrc|\.tool-versions|mise\.toml|\.mise\.toml|\.editorconfig)$/i,
  ],
  [
    'commit hooks',
    /(^|\/)(\.husky|\.githooks)\/|(^|\/)(\.pre-commit-config\.yaml|lefthook\.ya?ml)$/i,
  ],
  [
    'a lock file',
    /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|deno\.lock|Cargo\.lock|go\.sum|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock|Gemfile\.lock|composer\.lock|mix\.lock|pubspec\.lock|Package\.resolved|packages\.lock\.json|gradle\.lockfile|flake\.lock)$/i,
  ],
  [
    'a manifest or build script, which decides how tests run',
    /(^|\/)(package\.json|deno\.jsonc?|Cargo\.toml|build\.rs|go\.mod|go\.work|pyproject\.toml|setup\.(py|cfg)|Pipfile|requirements[^/]*\.txt|Gemfile|Rakefile|composer\.json|mix\.exs|pom\.xml|build\.gradle(\.kts)?|settings\.gradle(\.kts)?|(GNU)?Makefile|justfile|Taskfile\.ya?ml|CMakeLists\.txt|[^/]+\.csproj|Package\.swift|sitecustomize\.py|usercustomize\.py)$/i,
  ],
]

const NEVER = /(^|\/)\.git(\/|$)/i

/** Why a path is off limits, or null. What the caller asked for by name is allowed; a repository's own `.git` never. */
export function protectionOf(path: string, allow: readonly string[]): string | null {
  if (NEVER.test(path)) return 'version control'
  if (/(^|\/)\.git[^/]*\//i.test(path) && !allow.includes(path)) return 'git configuration'
  const row = PROTECTED.find(([, pattern]) => pattern.test(path))
  return row === undefined || allow.includes(path) ? null : row[0]
}

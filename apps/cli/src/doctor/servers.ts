import { type Backend, backendsServing, isSameModel } from '@hyperguild/core/backend.ts'
import type { BackendKind } from '@hyperguild/core/backend-kinds.ts'
import { tierOf } from '@hyperguild/core/model.ts'
import { type ModelsConfig, modelsNamedIn } from '@hyperguild/core/models-config.ts'
import type { Environment } from '@hyperguild/io/config/environment.ts'
import { type Capabilities, createCapabilityProbe } from '@hyperguild/io/models/capabilities.ts'
import { chatThrough } from '@hyperguild/io/models/chat-model.ts'
import { type Endpoint, findEndpoint, withKey } from '@hyperguild/io/models/endpoints.ts'
import { type Probe, probeBackend } from '@hyperguild/io/models/probe.ts'
import { isWarm } from '@hyperguild/io/models/warm-state.ts'
import { type Finding, fine, problem, warning } from './finding.ts'

/** One model of models.yaml at its server. */
export interface ModelRow {
  model: string
  /** `claude-code` when Claude Code does its work; null when no server is known for it. */
  backend: string | null
  servedName: string | null
  state: 'warm' | 'cold' | 'unknown' | 'missing' | 'no server'
  /** Tokens it is loaded with, as far as the server tells. */
  contextTokens: number | null
  /** Null when it was not called. */
  capabilities: Capabilities | null
  findings: Finding[]
}

export interface ServersReport {
  backends: (Finding & { name: string; kind: BackendKind; latencyMs: number })[]
  models: ModelRow[]
}

/** Which models may be called to see what they can do. Calls load cold models and may cost money. */
export type WhomToCall = 'nobody' | 'warm_local' | 'everybody'

const PROBE_TIMEOUT_MS = 2000
const CALL_TIMEOUT_MS = 180_000

/** Looks at every server that models.yaml leads to, and at each of its models there. */
export async function examineServers(
  config: ModelsConfig,
  environment: Environment,
  whom: WhomToCall,
): Promise<ServersReport> {
  const models = modelsNamedIn(config)
  const endpointOf = (model: string) => findEndpoint(config, environment, model)
  const isOverApi = (model: string) => {
    const endpoint = endpointOf(model)
    return typeof endpoint !== 'string' && endpoint.claudeCode === null
  }
  const looks = await Promise.all(
    backendsServing(config, environment, models.filter(isOverApi)).map(async (backend) => {
      const server = withKey(backend, environment)
      return { backend, probe: await probeBackend(server, { timeoutMs: PROBE_TIMEOUT_MS }) }
    }),
  )
  const rows = await Promise.all(
    models.map(async (model) => {
      const endpoint = endpointOf(model)
      if (typeof endpoint === 'string') return unservedRow(model, endpoint)
      if (endpoint.claudeCode) return claudeRow(endpoint)
      const probe = looks.find(({ backend }) => backend.name === endpoint.backend.name)!.probe
      return lookedUpRow(endpoint, probe, config.llama_swap_url)
    }),
  )
  await callModels(rows, endpointOf, whom)
  return {
    backends: looks.map(({ backend, probe }) => backendFinding(backend, probe)),
    models: rows,
  }
}

function backendFinding(backend: Backend, probe: Probe): ServersReport['backends'][number] {
  const { name, kind, url } = backend
  const what = `${name} (${kind} at ${new URL(url).host})`
  const facts = { name, kind, latencyMs: probe.latencyMs }
  if (probe.problem !== undefined) {
    return { ...problem(what, probe.problem, probe.nextStep ?? ''), ...facts }
  }
  const busy = probe.busy ? ', busy or loading' : ''
  return { ...fine(what, `${probe.models.length} models${busy}`), ...facts }
}

function unservedRow(model: string, why: string): ModelRow {
  const [detail, ...rest] = why.split('; ')
  return {
    model,
    backend: null,
    servedName: null,
    state: 'no server',
    contextTokens: null,
    capabilities: null,
    findings: [problem(model, detail!, rest.join('; '))],
  }
}

/** Claude Code reaches its server by itself, and what the model can do there is known. */
function claudeRow({ model, servedName, settings }: Endpoint): ModelRow {
  return {
    model,
    backend: 'claude-code',
    servedName,
    state: 'unknown',
    contextTokens: settings.contextTokens,
    capabilities: null,
    findings: [],
  }
}

async function lookedUpRow(
  { model, servedName, backend, settings }: Endpoint,
  probe: Probe,
  llamaSwapUrl: string | undefined,
): Promise<ModelRow> {
  const row: ModelRow = {
    model,
    backend: backend.name,
    servedName,
    state: 'unknown',
    contextTokens: null,
    capabilities: null,
    findings: [],
  }
  if (probe.problem !== undefined) return row
  const found = modelIn(probe, backend.kind, servedName)
  if (!found) {
    return { ...row, state: 'missing', findings: [missing(model, servedName, backend, probe)] }
  }
  const { contextTokens } = found
  return {
    ...row,
    state: await stateOf(found.state, { backend, servedName }, llamaSwapUrl),
    contextTokens,
    findings: contextFindings(model, backend.kind, contextTokens, settings.contextTokens),
  }
}

/** A llama.cpp server of one model answers to any name. */
function modelIn({ models }: Probe, kind: BackendKind, servedName: string) {
  const named = models.find(({ name }) => isSameModel(name, servedName))
  return named ?? (kind === 'llama-cpp' && models.length === 1 ? models[0] : undefined)
}

async function stateOf(
  seen: Probe['models'][number]['state'],
  endpoint: Pick<Endpoint, 'backend' | 'servedName'>,
  llamaSwapUrl: string | undefined,
): Promise<ModelRow['state']> {
  if (seen !== 'unknown' || llamaSwapUrl === undefined) return seen
  return (await isWarm(endpoint, { llamaSwapUrl, timeoutMs: PROBE_TIMEOUT_MS })) ? 'warm' : 'cold'
}

/** Hosted services list dated names only, and take others too. */
function missing(model: string, servedName: string, backend: Backend, probe: Probe): Finding {
  const names = probe.models.map(({ name }) => name)
  const some = names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ')
  const detail = `${backend.name} has no ${servedName}; it has ${some || 'no models'}`
  if (backend.kind === 'anthropic' || backend.kind === 'openai') {
    return warning(model, detail, 'compare the name with the list of the service')
  }
  const pull = backend.kind === 'ollama' ? `run: ollama pull ${servedName}; or ` : ''
  return problem(model, detail, `${pull}write models.${model}.served_name in models.yaml`)
}

/** Below this a model cannot hold a task with its files and the turns of its work. */
const SMALL_CONTEXT_TOKENS = 32_000

const LARGER_CONTEXT: Partial<Record<BackendKind, string>> = {
  ollama: 'start Ollama with OLLAMA_CONTEXT_LENGTH=32768 or more',
  'llama-cpp': 'start it with --ctx-size 32768 or more',
  'llama-swap': 'give its command --ctx-size 32768 or more',
  'lm-studio': 'load it with a context length of 32768 or more',
  vllm: 'start it with --max-model-len 32768 or more',
}

function contextFindings(
  model: string,
  kind: BackendKind,
  actual: number | null,
  wanted: number | null,
): Finding[] {
  if (actual === null) return []
  const nextStep = LARGER_CONTEXT[kind] ?? 'raise the context of that server'
  if (wanted !== null && wanted > actual) {
    const detail = `models.yaml says a context of ${wanted} tokens, loaded with ${actual}: longer prompts are cut`
    return [problem(model, detail, nextStep)]
  }
  if (actual >= SMALL_CONTEXT_TOKENS || tierOf(model) !== 'local') return []
  return [warning(model, `a context of ${actual} tokens is little for code`, nextStep)]
}

/** One model after the other: two at once on one machine would make each other slow, or throw each other out. */
async function callModels(
  rows: ModelRow[],
  endpointOf: (model: string) => Endpoint | string,
  whom: WhomToCall,
): Promise<void> {
  const chat = chatThrough((model) => endpointOf(model) as Endpoint)
  const capabilitiesOf = createCapabilityProbe(chat)
  for (const row of rows) {
    const endpoint = endpointOf(row.model)
    if (typeof endpoint === 'string' || endpoint.claudeCode || !mayCall(row, whom)) continue
    row.capabilities = await capabilitiesOf(row.model, AbortSignal.timeout(CALL_TIMEOUT_MS))
    row.findings.push(...capabilityFindings(row.model, row.capabilities, endpoint.settings.tools))
  }
}

function mayCall({ model, state }: ModelRow, whom: WhomToCall): boolean {
  if (state === 'missing' || state === 'no server' || whom === 'nobody') return false
  return whom === 'everybody' || (state === 'warm' && tierOf(model) === 'local')
}

function capabilityFindings(
  model: string,
  { schema, tools, problem: why }: Capabilities,
  setting: 'native' | 'text' | 'none' | null,
): Finding[] {
  if (schema === 'failed' || tools === 'failed') {
    return [problem(model, why ?? 'the call failed', 'look at the log of its server')]
  }
  const findings: Finding[] = []
  if (schema !== 'honoured') {
    findings.push(
      warning(
        model,
        `its server does not hold answers to a JSON schema (${schema})`,
        'nothing to do: answers are checked and asked for once more; a newer server may help',
      ),
    )
  }
  if (tools !== 'honoured' && (setting === null || setting === 'native')) {
    findings.push(
      warning(
        model,
        `it does not call tools as the protocol has it (${tools})`,
        `write tools: text under models.${model} in models.yaml`,
      ),
    )
  }
  return findings
}

/** The products that can serve models; each answers health, memory and reasoning questions in its own way. */
export const BACKEND_KINDS = [
  'litellm',
  'ollama',
  'llama-swap',
  'lm-studio',
  'llama-cpp',
  'vllm',
  'openai',
  'anthropic',
] as const
export type BackendKind = (typeof BACKEND_KINDS)[number]

/** Where hosted services are when the configuration does not say; a server of one's own has no such place. */
export const HOSTED_URLS: Partial<Record<BackendKind, string>> = {
  openai: 'https://api.openai.com',
  anthropic: 'https://api.anthropic.com',
}

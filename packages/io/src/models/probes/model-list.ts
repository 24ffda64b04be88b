import * as z from 'zod'

/** OpenAI's list of models, with what some servers add to it. */
export const modelListShape = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      /** vLLM. */
      max_model_len: z.number().nullish(),
      /** Anthropic. */
      max_input_tokens: z.number().nullish(),
      /** llama.cpp as a router of several models. */
      status: z.object({ value: z.string() }).nullish(),
    }),
  ),
})

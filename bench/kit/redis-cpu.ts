import type { Redis } from 'ioredis'

/** Processor time that Redis has used since it began, all its threads, in microseconds. */
export async function redisCpuUs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu')
  const seconds = ['used_cpu_user', 'used_cpu_sys'].map((name) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]),
  )
  return seconds.reduce((sum, one) => sum + one * 1e6, 0)
}

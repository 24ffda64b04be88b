import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'packages/**/*.test.ts',
      'apps/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    globalSetup: 'test/redis-for-tests.ts',
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 3,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'packages/**/*.test.ts',
      'apps/**/*.test.ts',
      'bench/**/*.test.ts',
      'chaos/**/*.test.ts',
      'test/**/*.test.ts',
      'deploy/**/*.test.ts',
    ],
    // They need root, Debian packages and minutes: npm run test:images
    exclude: ['**/node_modules/**', 'deploy/images/**'],
    globalSetup: 'test/redis-for-tests.ts',
    testTimeout: 40_000,
    // Waiting for something to come true ends when it does; this is only how long a busy machine may take.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 30_000,
    maxWorkers: 3,
  },
})

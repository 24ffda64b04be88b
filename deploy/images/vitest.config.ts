import { defineConfig } from 'vitest/config'

/** `npm run test:images`: what needs root, Debian packages and minutes. */
export default defineConfig({
  test: {
    root: '.',
    include: ['deploy/images/**/*.test.ts'],
    globalSetup: 'deploy/images/build-both.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})

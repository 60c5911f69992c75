import { defineConfig } from 'vitest/config'

// Packages run from source: no build step before a test.
const resolve = { conditions: ['source'] }
const ssr = { resolve: { conditions: ['source'], externalConditions: ['source'] } }

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          setupFiles: ['scripts/whole-histories.ts'],
          // Properties with long histories: what takes a second alone takes several on a busy machine.
          testTimeout: 30_000,
          include: ['{packages,services}/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'tests/chaos/**/*.test.ts'],
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'system',
          include: ['tests/system/**/*.test.ts'],
          globalSetup: ['tests/system/support/no-process-left.ts'],
          // Real servers: generous limits, one file at a time on two cores.
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

import { defineConfig } from 'vitest/config'

// Packages run from source: no build step before a test.
const resolve = { conditions: ['source'] }
const ssr = { resolve: { conditions: ['source'], externalConditions: ['source'] } }

/** Those that say how long something may take, or that load the machine: each has it for itself. */
const alone = ['consumer-group', 'failure', 'pipeline', 'rebalance'].map((name) => `tests/system/${name}.test.ts`)

/** Real servers, which tests wait for more than they work: generous limits. */
const system = {
  include: ['tests/system/**/*.test.ts'],
  globalSetup: ['tests/system/support/no-process-left.ts'],
  testTimeout: 120_000,
  hookTimeout: 180_000,
}

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          // None leaves anything in a module; loading all of them anew for each file would take longer than the tests.
          isolate: false,
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
        test: { ...system, name: 'system', exclude: alone, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        resolve,
        ssr,
        test: {
          ...system,
          name: 'system-alone',
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})

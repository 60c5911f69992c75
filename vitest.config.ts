import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Packages run from source: no build step before a test.
const resolve = { conditions: ['@sluice/source'] }
const ssr = { resolve: { conditions: ['@sluice/source'], externalConditions: ['@sluice/source'] } }

/** Those that say how long something may take, or that load the machine: each has it for itself. */
const alone = ['closing', 'consumer-group', 'failure', 'rebalance'].map((name) => `tests/system/${name}.test.ts`)

/** Small files that take long: begun last, by their size, they would be waited for alone. */
const longest = ['exactly-once', 'demo', 'consumer-cluster', 'pipeline', 'kafka-cluster', 'packaging'].map(
  (name) => `/system/${name}.test.ts`,
)

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => (longest.some((end) => moduleId.endsWith(end)) ? 0 : 1)
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

/** Real servers, which tests wait for more than they work: at least four times what they take on a busy machine. */
const system = {
  // As with the unit tests.
  isolate: false,
  include: ['tests/system/**/*.test.ts'],
  globalSetup: ['tests/system/support/no-process-left.ts'],
  testTimeout: 300_000,
  hookTimeout: 300_000,
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          // None leaves anything in a module; loading all of them anew for each file would take longer than the tests.
          isolate: false,
          maxWorkers: 2,
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
        // More than a small machine has cores: they wait for servers most of the time.
        test: { ...system, name: 'system', exclude: alone, maxWorkers: 3, sequence: { groupOrder: 1 } },
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

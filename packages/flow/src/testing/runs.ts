/** Generated runs of a property: few in every test run, many in `npm run test:long`. */
export function numRuns(usual: number): number {
  return process.env.SLUICE_LONG_RUNS ? Math.max(usual, Number(process.env.SLUICE_LONG_RUNS)) : usual
}

/** A program of faults whose history is checked afterwards. */
export interface Proof {
  readonly title: string
  readonly usage: string
  /** The options of a brief run, for `--quick`: less than a minute. */
  readonly quick: readonly string[]
  /** Runs it and returns what must not have happened, one sentence each. @throws TypeError for options it does not have. */
  run(args: readonly string[], tell: (line: string) => void): Promise<readonly string[]>
}

/** A generator of numbers from 0 up to 1 that gives the same ones for the same seed: mulberry32 by Tommy Ettinger. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

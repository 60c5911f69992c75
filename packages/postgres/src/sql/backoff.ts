/** The wait before the next try, after so many: doubles up to `maxMs`, shortened by up to a half at random. */
export function backoffMs(tries: number, initialMs: number, maxMs: number): number {
  return Math.min(maxMs, initialMs * 2 ** Math.min(tries, 30)) * (0.5 + Math.random() / 2)
}

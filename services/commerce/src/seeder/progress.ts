const WIDTH = 30

/** A bar on a terminal, redrawn in place; nothing elsewhere, where the log tells the end. */
export function drawProgress(done: number, total: number, out: NodeJS.WriteStream = process.stderr): void {
  if (!out.isTTY) return
  out.write(`\r${progressLine(done, total)}${done >= total ? '\n' : ''}`)
}

export function progressLine(done: number, total: number): string {
  const share = total === 0 ? 1 : done / total
  const filled = Math.floor(share * WIDTH)
  const bar = '#'.repeat(filled) + '-'.repeat(WIDTH - filled)
  return `seeding [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${done}/${total}`
}

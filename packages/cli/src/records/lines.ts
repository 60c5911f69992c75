/** A line of input, without its end; undefined: it was longer than allowed, and passed over. */
export type Line = Buffer | undefined

const LF = 10
const CR = 13

/** Cuts chunks of bytes into lines, whatever they hold. A line is never gathered beyond `maxBytes`. */
export async function* linesOf(
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Line[], void, undefined> {
  let open: Buffer[] = []
  let openBytes = 0
  const take = (end: Buffer): Line => {
    const isTooLong = openBytes + end.length > maxBytes
    const line = open.length === 0 ? end : Buffer.concat([...open, end])
    open = []
    openBytes = 0
    return isTooLong ? undefined : withoutReturn(line)
  }
  for await (const chunk of source) {
    const lines: Line[] = []
    let start = 0
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, start)) {
      lines.push(take(chunk.subarray(start, at)))
      start = at + 1
    }
    const rest = chunk.subarray(start)
    openBytes += rest.length
    if (openBytes > maxBytes) open = []
    else if (rest.length > 0) open.push(rest)
    if (lines.length > 0) yield lines
  }
  if (openBytes > 0) yield [take(Buffer.alloc(0))]
}

/** Lines of Windows end with both. */
function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}

import { createReadStream, existsSync } from 'node:fs'

/**
 * The ids of a ledger, so many at a time. A ledger that does not exist has none; a last line without its newline was cut
 * short by a kill and is not an id.
 */
export async function* ledgerChunks(path: string, size: number): AsyncGenerator<string[], void, undefined> {
  if (!existsSync(path)) return
  let chunk: string[] = []
  let tail = ''
  for await (const text of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = (tail + text).split('\n')
    tail = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') continue
      chunk.push(line)
      if (chunk.length < size) continue
      yield chunk
      chunk = []
    }
  }
  if (chunk.length > 0) yield chunk
}

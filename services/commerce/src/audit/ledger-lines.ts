import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** The ids of a ledger, so many at a time. A ledger that does not exist has none; a line cut short is not an id yet. */
export async function* ledgerChunks(path: string, size: number): AsyncGenerator<string[], void, undefined> {
  if (!existsSync(path)) return
  let chunk: string[] = []
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line === '') continue
    chunk.push(line)
    if (chunk.length < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

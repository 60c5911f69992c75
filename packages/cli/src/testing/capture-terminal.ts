import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { Terminal } from '../terminal.ts'

/** A terminal whose output is read back; `out` and `err` give what was written since the last time. */
export function captureTerminal({ isTTY = false, columns = 80 } = {}) {
  const stream = () => Object.assign(new PassThrough(), { isTTY, columns, rows: 24 })
  const [out, err] = [stream(), stream()]
  const terminal = new Terminal(out as unknown as WriteStream, err as unknown as WriteStream)
  const text = (stream: PassThrough): string => String(stream.read() ?? '')
  return { terminal, out: () => text(out), err: () => text(err) }
}

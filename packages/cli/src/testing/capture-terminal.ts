import { PassThrough } from 'node:stream'
import type { ReadStream, WriteStream } from 'node:tty'
import { Terminal } from '../terminal.ts'

/** A terminal whose output is read back; `out` and `err` give what was written since the last time. */
export function captureTerminal({ isTTY = false, columns = 80 } = {}) {
  const stream = () => Object.assign(new PassThrough(), { isTTY, columns, rows: 24 })
  const [out, err] = [stream(), stream()]
  const keyboard = new Keyboard(isTTY)
  const terminal = new Terminal(
    out as unknown as WriteStream,
    err as unknown as WriteStream,
    keyboard as unknown as ReadStream,
  )
  const text = (stream: PassThrough): string => String(stream.read() ?? '')
  return { terminal, out: () => text(out), err: () => text(err), keyboard }
}

/** Written to, it is keys that were pressed. */
class Keyboard extends PassThrough {
  readonly isTTY: boolean
  /** Whether each call asked for single keys. */
  readonly modes: boolean[] = []

  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }

  setRawMode(mode: boolean): void {
    this.modes.push(mode)
  }
}

import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { describe, expect, it } from 'vitest'
import { Terminal } from './terminal.ts'

function capture(isTTY: boolean) {
  const out = new PassThrough()
  const err = Object.assign(new PassThrough(), { isTTY, columns: 20 })
  const terminal = new Terminal(out as unknown as WriteStream, err as unknown as WriteStream)
  const text = (stream: PassThrough) => String(stream.read() ?? '')
  return { terminal, out: () => text(out), err: () => text(err) }
}

describe('a terminal', () => {
  it('shows a table in columns, without trailing spaces', () => {
    const { terminal, out } = capture(false)
    terminal.table([
      ['NAME', 'PID'],
      ['\u001B[1mkafka-1\u001B[0m', '12345'],
    ])
    expect(out()).toBe('NAME     PID\n\u001B[1mkafka-1\u001B[0m  12345\n')
  })

  it('rewrites one line of progress, no longer than the screen is wide', () => {
    const { terminal, err } = capture(true)
    terminal.progress('starting Kafka')
    terminal.progress('fetching a very large thing')
    terminal.error('done')
    expect(err()).toBe('\r\u001B[Kstarting Kafka\r\u001B[Kfetching a very lar\r\u001B[Kdone\n')
  })

  it('writes a line for each step elsewhere, and none for each little progress of one', () => {
    const { terminal, err } = capture(false)
    for (const text of ['fetching: 1 file', 'fetching: 2 files', 'starting']) terminal.progress(text)
    expect(err()).toBe('fetching: 1 file\nstarting\n')
  })
})

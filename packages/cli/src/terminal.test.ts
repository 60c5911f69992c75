import { describe, expect, it } from 'vitest'
import { captureTerminal } from './testing/capture-terminal.ts'

describe('a terminal', () => {
  it('rewrites one line of progress, no longer than the screen is wide', () => {
    const { terminal, err } = captureTerminal({ isTTY: true, columns: 20 })
    terminal.progress('starting Kafka')
    terminal.progress('fetching a very large thing')
    terminal.note('done')
    expect(err()).toBe('\r\u001B[Kstarting Kafka\r\u001B[Kfetching a very lar\r\u001B[Kdone\n')
  })

  it('writes a line for each step elsewhere, and none for each little progress of one', () => {
    const { terminal, err } = captureTerminal()
    for (const text of ['fetching: 1 file', 'fetching: 2 files', 'starting']) terminal.progress(text)
    expect(err()).toBe('fetching: 1 file\nstarting\n')
  })
})

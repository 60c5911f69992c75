import { describe, expect, it } from 'vitest'
import { captureTerminal } from '../testing/capture-terminal.ts'
import { watch } from './watch.ts'

/** Looks as often as there are snapshots, then ends as Ctrl-C does. */
async function watchAll(
  snapshots: readonly (readonly string[] | Error)[],
  options: { isTTY?: boolean; json?: boolean },
) {
  const { isTTY = false, json = false } = options
  const { terminal, out, err } = captureTerminal({ isTTY, columns: 12 })
  const interrupt = new AbortController()
  let looks = 0
  const look = async () => {
    const lines = snapshots[looks++]!
    if (looks === snapshots.length) queueMicrotask(() => queueMicrotask(() => interrupt.abort()))
    if (lines instanceof Error) throw lines
    return { lines, json: { lines } }
  }
  await watch(terminal, look, { intervalMs: 1, json, signal: interrupt.signal })
  return { out: out(), err: err() }
}

describe('a watching command', () => {
  it('draws again in place on a terminal, no wider than it is, and gives the cursor back', async () => {
    const { out } = await watchAll([['one', 'a line that is too long'], ['two'], ['three']], { isTTY: true })
    const hide = '\u001B[?25l'
    expect(out).toBe(
      `${hide}one\na line that\n` +
        `${hide}\u001B[2A\r\u001B[0Jtwo\n` +
        `${hide}\u001B[1A\r\u001B[0Jthree\n` +
        '\u001B[?25h',
    )
  })

  it('writes one below the other elsewhere, without a control character', async () => {
    const { out } = await watchAll([['one'], ['two']], {})
    expect(out).toBe('one\n\ntwo\n\n')
  })

  it('writes an object a line for programs', async () => {
    const { out } = await watchAll([['one'], ['two']], { isTTY: true, json: true })
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([{ lines: ['one'] }, { lines: ['two'] }])
  })

  it('goes on after trouble that passes, and says so', async () => {
    const trouble = Object.assign(new Error('no broker answers'), { retriable: true })
    const { out, err } = await watchAll([['one'], trouble, ['two']], {})
    expect([out, err]).toEqual(['one\n\ntwo\n\n', 'waiting: no broker answers\n'])
    const shown = await watchAll([['one'], trouble, ['two']], { isTTY: true })
    expect(shown.out).toContain('one\n\nwaiting: no\n')
  })

  it('ends with trouble that does not pass, or that is there from the start', async () => {
    await expect(watchAll([['one'], new Error('no such topic'), ['two']], {})).rejects.toThrow('no such topic')
    const trouble = Object.assign(new Error('nobody there'), { retriable: true })
    await expect(watchAll([trouble, ['one']], {})).rejects.toThrow('nobody there')
  })

  it('ends when q is pressed, and gives the keyboard back', async () => {
    const { terminal, out, keyboard } = captureTerminal({ isTTY: true })
    const look = async () => {
      keyboard.write('q')
      return { lines: ['one'], json: null }
    }
    const signal = new AbortController().signal
    await watch(terminal, look, { intervalMs: 60_000, json: false, signal })
    expect(out()).toContain('one\n')
    expect([keyboard.modes, keyboard.listenerCount('data')]).toEqual([[true, false], 0])
  })
})

import type { ReadStream } from 'node:tty'

const CTRL_C = '\u0003'
const CTRL_Z = '\u001A'

/**
 * Calls back when `q` is pressed. Until it is disposed, keys come one by one and are not shown; those of Ctrl-C and Ctrl-Z
 * do what they do elsewhere. Nothing where the input is not a keyboard.
 */
export function onQuitKey(input: ReadStream, quit: () => void): Disposable {
  if (!input.isTTY) return { [Symbol.dispose]: () => {} }
  const onKeys = (keys: Buffer): void => {
    const text = keys.toString()
    if (text.includes(CTRL_C)) process.kill(process.pid, 'SIGINT')
    else if (text.includes(CTRL_Z)) suspend(input)
    else if (/q/i.test(text)) quit()
  }
  input.setRawMode(true)
  input.on('data', onKeys)
  input.resume()
  return {
    [Symbol.dispose]: () => {
      input.off('data', onKeys)
      input.setRawMode(false)
      input.pause()
    },
  }
}

/** The shell gets its terminal back as it was, and we take it again when the shell continues us. */
function suspend(input: ReadStream): void {
  input.setRawMode(false)
  process.once('SIGCONT', () => input.setRawMode(true))
  process.kill(process.pid, 'SIGTSTP')
}

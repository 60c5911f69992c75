/**
 * What a terminal might obey instead of showing: control characters (C0, DEL, C1), the separators that break a line,
 * and the characters that turn the direction of what follows.
 */
const unsafe = /[\p{Cc}\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/u
const everyUnsafe = new RegExp(unsafe, 'gu')

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\u001B': '\\e' }

/** Text from elsewhere, safe to show on one line: what a terminal might obey is written out, such as `\n` or `\x9b`. */
export function printable(text: string): string {
  return unsafe.test(text) ? text.replace(everyUnsafe, writtenOut) : text
}

/** The same for text of several lines, such as a log: its line breaks and tabs stay. */
export function printableLines(text: string): string {
  return unsafe.test(text) ? text.replaceAll('\r\n', '\n').replace(everyUnsafe, keptInLines) : text
}

/** JSON of a value on one line, that shows safely too: `JSON.stringify` leaves C1 and the like as they are. */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent)
  return indent === undefined && !unsafe.test(text) ? text : text.replace(everyUnsafe, escapedForJson)
}

function keptInLines(character: string): string {
  return character === '\n' || character === '\t' ? character : writtenOut(character)
}

function writtenOut(character: string): string {
  const code = character.charCodeAt(0)
  return named[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
}

/** The line breaks are JSON's own, between its tokens: within text they are escaped already. */
function escapedForJson(character: string): string {
  return character === '\n' ? character : `\\u${hex(character.charCodeAt(0), 4)}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
